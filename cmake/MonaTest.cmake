# Tests that need a Mona: each runs beside a sandbox of its own.

# The sandbox, and a library that panics on request. One build, so that what both need is compiled once.
mona_cargo_build(
  mona_test_tools
  FILES debug/mona-sandbox debug/libmona.so debug/libmona.a
  ARGUMENTS --workspace --features mona/panic-trigger
)

# That library, kept apart: cargo's next build without the feature replaces its own copy.
set(MONA_DEBUG_FOLDER "${PROJECT_BINARY_DIR}/debug")
add_custom_target(
  mona_debug_library
  COMMAND ${CMAKE_COMMAND} -E make_directory "${MONA_DEBUG_FOLDER}"
  COMMAND ${CMAKE_COMMAND} -E copy_if_different "${MONA_TARGET_DIR}/debug/libmona.so" "${MONA_DEBUG_FOLDER}"
  BYPRODUCTS "${MONA_DEBUG_FOLDER}/libmona.so"
  VERBATIM
)
add_dependencies(mona_debug_library mona_test_tools)
mona_shared_library(mona_debug mona_debug_library "${MONA_DEBUG_FOLDER}")
mona_static_library(
  mona_debug_static mona_test_tools "${MONA_TARGET_DIR}/debug/libmona.a" "${MONA_DEBUG_FOLDER}"
)

find_program(VALGRIND_EXECUTABLE valgrind)

# mona_sandbox_test(<name> <command>...)
function(mona_sandbox_test name)
  add_test(NAME ${name} COMMAND "${PROJECT_SOURCE_DIR}/scripts/with-sandbox" ${ARGN})
  set_tests_properties(
    ${name}
    PROPERTIES
      ENVIRONMENT "MONA_SANDBOX=${MONA_TARGET_DIR}/debug/mona-sandbox"
      WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}"
      TIMEOUT 300
  )
endfunction()

# mona_valgrind_test(<name> <command>...): the same under memcheck, which takes any leak for an error.
#
# With the debug build of the library: suppressions go by the names of functions, which a release has not.
function(mona_valgrind_test name)
  if(NOT VALGRIND_EXECUTABLE)
    return()
  endif()
  mona_sandbox_test(
    ${name}
    ${VALGRIND_EXECUTABLE}
    --quiet
    --error-exitcode=99
    --num-callers=50
    --leak-check=full
    --show-leak-kinds=definite,indirect,possible
    --errors-for-leak-kinds=definite,indirect,possible
    --suppressions=${PROJECT_SOURCE_DIR}/tests/c/valgrind.supp
    ${ARGN}
  )
  get_test_property(${name} ENVIRONMENT environment)
  list(APPEND environment MONA_TEST_VALGRIND=1 "LD_LIBRARY_PATH=${MONA_DEBUG_FOLDER}")
  set_tests_properties(${name} PROPERTIES LABELS valgrind ENVIRONMENT "${environment}")
endfunction()
