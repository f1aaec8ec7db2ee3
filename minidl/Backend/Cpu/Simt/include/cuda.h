// For texts that include it: what it declares is known without.
