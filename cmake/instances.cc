// What pch.h declares as compiled elsewhere: here.
#include "cmake/pch.h"

template void fmt::detail::vformat_to(buffer<char>&, string_view, basic_format_args<format_context>,
                                      locale_ref);
