// For texts that include it: the words of CUDA C are known without.
