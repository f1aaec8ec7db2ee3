"""Arrays and arithmetic on a device, GPU or CPU; knows nothing of modules."""
