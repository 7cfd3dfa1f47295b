# The two libraries as targets to link with.

# The binary interface's number, which is in the SONAME: the header's.
file(STRINGS include/mona.h abi_line REGEX "^#define MONA_ABI_VERSION ")
string(REGEX REPLACE ".* " "" MONA_ABI_VERSION "${abi_line}")
set(MONA_SONAME libmona.so.${MONA_ABI_VERSION})

# What the static library needs of the system: as `rustc --print native-static-libs` says, which tests/system-libraries
# compares.
set(MONA_SYSTEM_LIBRARIES gcc_s util rt pthread m dl c)

# All that is global in the libraries.
file(STRINGS abi/symbols.txt MONA_SYMBOLS)

# mona_shared_library(<imported target> <target that makes it> <folder>)
#
# <folder>/libmona.so. Programs look for it by its SONAME, so that is put beside it.
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

# GNU ld: LLVM's cannot leave out what is not needed when it links for further linking.
find_program(MONA_LINKER NAMES ${CMAKE_C_COMPILER_TARGET}-ld.bfd ld.bfd ld)

# mona_static_library(<imported target> <target that makes the archive> <archive> <folder>)
#
# <folder>/libmona.a, made of cargo's archive. That one has all of Rust's standard library in it, whose symbols clash with those of
# any other Rust library in the same program. Linked into one object in advance, it needs none of them: only mona_* stay global.
function(mona_static_library target maker archive folder)
  set(object "${folder}/mona.o")
  set(library "${folder}/libmona.a")
  file(MAKE_DIRECTORY "${folder}")
  if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
    set(roots ${MONA_SYMBOLS})
    list(TRANSFORM roots PREPEND --undefined=)
    add_custom_command(
      OUTPUT "${library}"
      COMMAND
        ${MONA_LINKER} --relocatable --gc-sections ${roots} --force-group-allocation -o "${object}"
        "${archive}"
      COMMAND
        ${CMAKE_OBJCOPY} "--keep-global-symbols=${PROJECT_SOURCE_DIR}/abi/symbols.txt"
        --remove-section=.llvmbc --remove-section=.llvmcmd --strip-unneeded "${object}"
      COMMAND ${CMAKE_COMMAND} -E remove -f "${library}"
      COMMAND ${CMAKE_AR} rcsD "${library}" "${object}"
      COMMAND ${CMAKE_COMMAND} -E remove -f "${object}"
      DEPENDS ${maker} "${archive}" "${PROJECT_SOURCE_DIR}/abi/symbols.txt"
      VERBATIM
    )
  else()
    add_custom_command(
      OUTPUT "${library}"
      COMMAND ${CMAKE_COMMAND} -E copy "${archive}" "${library}"
      DEPENDS ${maker} "${archive}"
      VERBATIM
    )
  endif()
  add_custom_target(${maker}_static ${MONA_ALL} DEPENDS "${library}")
  add_library(${target} STATIC IMPORTED GLOBAL)
  add_dependencies(${target} ${maker}_static)
  set_target_properties(
    ${target}
    PROPERTIES
      IMPORTED_LOCATION "${library}"
      IMPORTED_LINK_INTERFACE_LANGUAGES C
      INTERFACE_INCLUDE_DIRECTORIES "${PROJECT_SOURCE_DIR}/include"
      INTERFACE_LINK_LIBRARIES "${MONA_SYSTEM_LIBRARIES}"
  )
endfunction()

# mona_portable_library(<target> <static library's target> <folder>)
#
# A target that makes <folder>/libmona.so of the static library, for GNU C libraries from MONA_GLIBC on. The version that a program
# or library needs is decided when it is linked, by what is there then: so this is linked with what zig has there, which is all of them.
function(mona_portable_library target static folder)
  find_program(ZIG_EXECUTABLE zig)
  if(NOT ZIG_EXECUTABLE)
    message(FATAL_ERROR "MONA_GLIBC needs zig (ziglang.org; or: pip install ziglang)")
  endif()
  file(MAKE_DIRECTORY "${folder}")
  get_target_property(archive ${static} IMPORTED_LOCATION)
  set(libraries ${MONA_SYSTEM_LIBRARIES})
  list(TRANSFORM libraries PREPEND -l)
  add_custom_command(
    OUTPUT "${folder}/libmona.so"
    COMMAND
      ${ZIG_EXECUTABLE} cc -target ${CMAKE_SYSTEM_PROCESSOR}-linux-gnu.${MONA_GLIBC} -shared -s -o
      "${folder}/libmona.so" -Wl,--whole-archive "${archive}" -Wl,--no-whole-archive
      -Wl,-soname,${MONA_SONAME} -Wl,--gc-sections -Wl,-z,nodelete -Wl,-z,now -Wl,-z,relro
      ${libraries}
    DEPENDS ${static} "${archive}"
    VERBATIM
  )
  add_custom_target(${target} ${MONA_ALL} DEPENDS "${folder}/libmona.so")
endfunction()
