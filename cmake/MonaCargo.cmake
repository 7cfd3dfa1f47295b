# Building with cargo.

find_program(CARGO_EXECUTABLE cargo HINTS "$ENV{HOME}/.cargo/bin")
if(NOT CARGO_EXECUTABLE)
  message(FATAL_ERROR "mona needs cargo, Rust's build tool: https://rustup.rs")
endif()

# Where cargo builds, in this build as in any other.
set(MONA_TARGET_DIR "target")
if(DEFINED ENV{CARGO_TARGET_DIR})
  set(MONA_TARGET_DIR "$ENV{CARGO_TARGET_DIR}")
endif()
get_filename_component(
  MONA_TARGET_DIR "${MONA_TARGET_DIR}" ABSOLUTE BASE_DIR "${PROJECT_SOURCE_DIR}"
)

# mona_cargo_build(<target> FILES <file>... ARGUMENTS <argument>...)
#
# A target that runs `cargo build`, each time: cargo knows what is out of date. FILES are what it makes in its folder.
function(mona_cargo_build target)
  cmake_parse_arguments(PARSE_ARGV 1 cargo "" "" "FILES;ARGUMENTS")
  list(TRANSFORM cargo_FILES PREPEND "${MONA_TARGET_DIR}/")
  add_custom_target(
    ${target} ${MONA_ALL}
    COMMAND
      ${CMAKE_COMMAND} -E env "CARGO_TARGET_DIR=${MONA_TARGET_DIR}" ${CARGO_EXECUTABLE} build
      --locked ${cargo_ARGUMENTS}
    BYPRODUCTS ${cargo_FILES}
    WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}"
    USES_TERMINAL VERBATIM
  )
endfunction()
