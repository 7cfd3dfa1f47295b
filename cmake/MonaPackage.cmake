# `cpack`: an archive, and Debian packages for programs (libmona0) and for building them (libmona-dev).

set(CPACK_PACKAGE_NAME libmona)

set(CPACK_PACKAGE_CONTACT "The libmona maintainers")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Native client of the Mona monitoring service")
set(CPACK_RESOURCE_FILE_LICENSE "${PROJECT_SOURCE_DIR}/LICENSE")
set(CPACK_GENERATOR "TGZ;DEB")
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_STRIP_FILES OFF)

set(CPACK_ARCHIVE_COMPONENT_INSTALL OFF)
set(CPACK_PACKAGE_FILE_NAME "libmona-${PROJECT_VERSION}-${CMAKE_SYSTEM_NAME}-${CMAKE_SYSTEM_PROCESSOR}")

# The C library that it needs.
set(mona_libc "${MONA_GLIBC}")
if(NOT mona_libc)
  file(STRINGS abi/glibc mona_libc)
endif()

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_HOMEPAGE "https://monalabs.io")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME "libmona${MONA_ABI_VERSION}")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_DEPENDS "libc6 (>= ${mona_libc}), libgcc-s1")
# What packages of programs that are linked with it depend on: the version that they were built with, since functions are added.
file(WRITE "${PROJECT_BINARY_DIR}/shlibs" "libmona ${MONA_ABI_VERSION} libmona${MONA_ABI_VERSION} (>= ${PROJECT_VERSION})\n")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_CONTROL_EXTRA "${PROJECT_SOURCE_DIR}/cmake/triggers;${PROJECT_BINARY_DIR}/shlibs")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libmona-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "libmona${MONA_ABI_VERSION} (= ${PROJECT_VERSION})")
set(CPACK_COMPONENT_RUNTIME_DESCRIPTION "The shared library.")
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION "The header, the static library and what build tools read.")
set(CPACK_COMPONENTS_ALL runtime development)
include(CPack)
