// The same test as C++.
#include "vectors.c"
