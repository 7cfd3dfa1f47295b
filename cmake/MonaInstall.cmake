# `cmake --install`: the shared library with its names, the header, and what find_package(mona CONFIG) reads.

include(CMakePackageConfigHelpers)

set(mona_file libmona.so.${PROJECT_VERSION})
set(mona_links "${PROJECT_BINARY_DIR}/links")
file(MAKE_DIRECTORY "${mona_links}")
file(CREATE_LINK ${mona_file} "${mona_links}/${MONA_SONAME}" SYMBOLIC)
file(CREATE_LINK ${MONA_SONAME} "${mona_links}/libmona.so" SYMBOLIC)

install(
  PROGRAMS "${MONA_TARGET_DIR}/release/libmona.so"
  DESTINATION ${CMAKE_INSTALL_LIBDIR}
  RENAME ${mona_file}
)
install(
  FILES "${mona_links}/${MONA_SONAME}" "${mona_links}/libmona.so"
  DESTINATION ${CMAKE_INSTALL_LIBDIR}
)
install(FILES include/mona.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

set(mona_package "${CMAKE_INSTALL_LIBDIR}/cmake/mona")
configure_package_config_file(
  cmake/mona-config.cmake.in mona-config.cmake
  INSTALL_DESTINATION ${mona_package}
  PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR
)
# Before 1.0 a new minor version may break what the last one promised.
write_basic_package_version_file(mona-config-version.cmake COMPATIBILITY SameMinorVersion)
install(
  FILES "${PROJECT_BINARY_DIR}/mona-config.cmake" "${PROJECT_BINARY_DIR}/mona-config-version.cmake"
  DESTINATION ${mona_package}
)
