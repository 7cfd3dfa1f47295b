# Tests that need a Mona: each runs beside a sandbox of its own.

# The sandbox, and a library that panics on request. One build, so that what both need is compiled once.
mona_cargo_build(
  mona_test_tools
  FILES debug/mona-sandbox debug/libmona.so
  ARGUMENTS --workspace --features mona/panic-trigger
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
function(mona_valgrind_test name)
  if(NOT VALGRIND_EXECUTABLE)
    return()
  endif()
  mona_sandbox_test(
    ${name}
    ${VALGRIND_EXECUTABLE}
    --quiet
    --error-exitcode=99
    --leak-check=full
    --show-leak-kinds=definite,indirect,possible
    --errors-for-leak-kinds=definite,indirect,possible
    --suppressions=${PROJECT_SOURCE_DIR}/tests/c/valgrind.supp
    ${ARGN}
  )
  get_test_property(${name} ENVIRONMENT environment)
  set_tests_properties(
    ${name} PROPERTIES LABELS valgrind ENVIRONMENT "${environment};MONA_TEST_SMALL=1"
  )
endfunction()
