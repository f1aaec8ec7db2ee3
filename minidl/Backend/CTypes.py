"""C's names of numbers beside numpy's letters, which are `struct`'s letters too."""

names = {
    "?": "bool", "b": "signed char", "B": "unsigned char", "h": "short", "H": "unsigned short",
    "i": "int", "I": "unsigned", "l": "long", "L": "unsigned long", "q": "long long",
    "Q": "unsigned long long", "f": "float", "d": "double",
}
letters = {
    **{name: letter for letter, name in names.items()},
    "char": "b", "short int": "h", "unsigned short int": "H", "signed": "i", "unsigned int": "I",
    "long int": "l", "unsigned long int": "L", "long long int": "q",
    "unsigned long long int": "Q", "size_t": "Q", "ptrdiff_t": "q",
    "int8_t": "b", "uint8_t": "B", "int16_t": "h", "uint16_t": "H", "int32_t": "i",
    "uint32_t": "I", "int64_t": "q", "uint64_t": "Q",
}
