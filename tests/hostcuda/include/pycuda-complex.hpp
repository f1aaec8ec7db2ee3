// In place of PyCUDA's header of this name, which needs the real nvcc: every text of PyCUDA
// includes it, and only those that compute with complex numbers use it.
