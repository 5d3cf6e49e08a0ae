// What test_pch.h declares as compiled elsewhere: here.
#include "cmake/test_pch.h"

template void rc::detail::checkGTest(void (*&&)());
template void rc::detail::checkGTest(void (*&&)(uint64_t));
