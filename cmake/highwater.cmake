# The project's own target functions. A library `hw_x` belongs to folder `x`; its tests are one binary.

# One precompiled header of third-party and standard headers, shared by every library.
file(WRITE ${CMAKE_BINARY_DIR}/pch/empty.cc "")
add_library(hw_pch OBJECT ${CMAKE_BINARY_DIR}/pch/empty.cc)
target_link_libraries(hw_pch PUBLIC absl::status absl::statusor absl::time absl::flat_hash_map absl::inlined_vector
                      absl::any_invocable absl::span absl::strings absl::btree fmt::fmt Boost::context)
target_include_directories(hw_pch PUBLIC ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR}/generated)
target_precompile_headers(hw_pch PRIVATE ${CMAKE_SOURCE_DIR}/cmake/pch.h)

# A second one for tests: GoogleTest and RapidCheck are the slowest headers that we include.
add_library(hw_test_pch OBJECT ${CMAKE_BINARY_DIR}/pch/empty.cc)
target_link_libraries(hw_test_pch PUBLIC hw_pch GTest::gtest GTest::gmock rapidcheck rapidcheck_gtest)
target_precompile_headers(hw_test_pch PRIVATE ${CMAKE_SOURCE_DIR}/cmake/test_pch.h)

# Templates of third parties that the precompiled headers declare as compiled elsewhere.
add_library(hw_instances STATIC ${CMAKE_SOURCE_DIR}/cmake/instances.cc)
target_link_libraries(hw_instances PRIVATE hw_pch)
target_precompile_headers(hw_instances REUSE_FROM hw_pch)
add_library(hw_test_instances STATIC ${CMAKE_SOURCE_DIR}/cmake/test_instances.cc)
target_link_libraries(hw_test_instances PRIVATE hw_test_pch)
target_precompile_headers(hw_test_instances REUSE_FROM hw_test_pch)

# hw_library(NAME SOURCES a.cc ... DEPS hw_y absl::z ...)
function(hw_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR}/generated)
  target_link_libraries(${name} PUBLIC hw_pch_usage ${arg_DEPS})
  target_precompile_headers(${name} REUSE_FROM hw_pch)
endfunction()

# hw_test(NAME SOURCES a_test.cc ... DEPS hw_x ... [TIMEOUT seconds] [LABELS unit])
function(hw_test name)
  cmake_parse_arguments(arg "" "TIMEOUT" "SOURCES;DEPS;LABELS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE hw_pch_usage ${arg_DEPS} hw_test_instances GTest::gtest GTest::gmock
                        GTest::gtest_main rapidcheck rapidcheck_gtest)
  target_precompile_headers(${name} REUSE_FROM hw_test_pch)
  # What tests say is compiled for speed of compilation; what they test, and their models and worlds, as everything else. At -O1
  # g++ takes more for uninitialized, or too short, than is.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_BUILD_TYPE STREQUAL "Release")
    list(FILTER arg_SOURCES INCLUDE REGEX "_test\\.cc$")
    set_property(SOURCE ${arg_SOURCES} APPEND PROPERTY COMPILE_OPTIONS -O1 -Wno-maybe-uninitialized -Wno-stringop-overread)
  endif()
  add_test(NAME ${name} COMMAND ${name})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  if(HIGHWATER_SANITIZE)
    math(EXPR arg_TIMEOUT "${arg_TIMEOUT} * 3")  # seconds; sanitized fibers are many times slower
  endif()
  if(NOT arg_LABELS)
    set(arg_LABELS unit)
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS "${arg_LABELS}")
endfunction()

# hw_program(NAME SOURCES main.cc DEPS ...)
function(hw_program name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE hw_pch_usage ${arg_DEPS})
  target_precompile_headers(${name} REUSE_FROM hw_pch)
endfunction()

# hw_benchmark(NAME SOURCES x_benchmark.cc DEPS ...): Google Benchmark, run by ci/bench, never by ctest.
function(hw_benchmark name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE hw_pch_usage ${arg_DEPS} benchmark::benchmark benchmark::benchmark_main)
  target_precompile_headers(${name} REUSE_FROM hw_pch)
endfunction()

# hw_fuzzer(NAME SOURCES x_fuzz.cc DEPS ...): a libFuzzer target where HIGHWATER_FUZZ is on, nothing otherwise.
function(hw_fuzzer name)
  if(NOT HIGHWATER_FUZZ)
    return()
  endif()
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE hw_pch_usage ${arg_DEPS})
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
endfunction()

# What users of the precompiled header link, without its object file.
add_library(hw_pch_usage INTERFACE)
target_include_directories(hw_pch_usage INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR}/generated)
target_link_libraries(hw_pch_usage INTERFACE hw_instances absl::status absl::statusor absl::time absl::flat_hash_map
                      absl::inlined_vector absl::any_invocable absl::span absl::strings absl::btree fmt::fmt
                      Boost::context)
