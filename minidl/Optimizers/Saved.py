"""What goes into an h5 file and comes back from it, whole or not at all."""

from minidl.GuardedFile import reading, writing


class Saved:
    """
    A subclass writes
        write(group, name)              puts all it has into an h5 group, in groups named `name`...
        found(group, name, problems)    reads that, notes what is wrong, and changes nothing;
                                        returns a function that takes over what was read
    """

    def save(self, hdf=None, name=None):
        """
        Writes an h5 file `hdf`: a path, which is replaced in one step, or an open h5py file or
        group. None gives the file's bytes. What is written begins with `name`.
        """
        with writing(hdf) as (group, result):
            self.write(group, name or "")
        return result[0]

    def load(self, hdf, name=None):
        """
        Reads what `save` wrote, from a path, bytes, or an open h5py file or group. All or nothing:
        a file that does not fit raises WeightsError and changes nothing.
        """
        with reading(hdf, type(self).__name__) as (group, problems):
            take = self.found(group, name or "", problems)
        take()
