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

set(MONA_SONAME libmona.so.0)

# mona_cargo_build(<target> FILES <file>... ARGUMENTS <argument>...)
#
# A target that runs `cargo build`, each time: cargo knows what is out of date. FILES are what it makes in its folder.
function(mona_cargo_build target)
  cmake_parse_arguments(PARSE_ARGV 1 cargo "" "" "FILES;ARGUMENTS")
  list(TRANSFORM cargo_FILES PREPEND "${MONA_TARGET_DIR}/")
  add_custom_target(
    ${target} ALL
    COMMAND
      ${CMAKE_COMMAND} -E env "CARGO_TARGET_DIR=${MONA_TARGET_DIR}" ${CARGO_EXECUTABLE} build
      --locked ${cargo_ARGUMENTS}
    BYPRODUCTS ${cargo_FILES}
    WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}"
    USES_TERMINAL VERBATIM
  )
endfunction()

# mona_shared_library(<imported target> <target that makes it> <folder>)
#
# <folder>/libmona.so as a target to link with. Programs look for it by its SONAME, so that is put beside it.
function(mona_shared_library target maker folder)
  add_custom_command(
    TARGET ${maker}
    POST_BUILD
    COMMAND ${CMAKE_COMMAND} -E create_symlink libmona.so "${folder}/${MONA_SONAME}"
    VERBATIM
  )
  add_library(${target} SHARED IMPORTED GLOBAL)
  add_dependencies(${target} ${maker})
  set_target_properties(
    ${target}
    PROPERTIES
      IMPORTED_LOCATION "${folder}/libmona.so"
      IMPORTED_SONAME ${MONA_SONAME}
      INTERFACE_INCLUDE_DIRECTORIES "${PROJECT_SOURCE_DIR}/include"
  )
endfunction()
