# `cmake --install`: both libraries, the header, and what find_package(mona CONFIG) and pkg-config read. Nothing in it
# names the place where it is, so that it can be moved. In two components: what programs need, and what building them needs.

include(CMakePackageConfigHelpers)

set(mona_file libmona.so.${PROJECT_VERSION})
set(mona_links "${PROJECT_BINARY_DIR}/links")
file(MAKE_DIRECTORY "${mona_links}")
file(CREATE_LINK ${mona_file} "${mona_links}/${MONA_SONAME}" SYMBOLIC)
file(CREATE_LINK ${MONA_SONAME} "${mona_links}/libmona.so" SYMBOLIC)

install(
  PROGRAMS "${mona_shared_folder}/libmona.so"
  DESTINATION ${CMAKE_INSTALL_LIBDIR}
  RENAME ${mona_file}
  COMPONENT runtime
)
install(FILES "${mona_links}/${MONA_SONAME}" DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime)
install(FILES LICENSE THIRD-PARTY-LICENSES.md DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT runtime)

install(
  FILES "${mona_links}/libmona.so" "${PROJECT_BINARY_DIR}/static/libmona.a"
  DESTINATION ${CMAKE_INSTALL_LIBDIR}
  COMPONENT development
)
install(FILES include/mona.h include/mona.hpp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development)
install(FILES README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT development)
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT development)

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
  COMPONENT development
)

set(mona_pkgconfig "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig")
file(RELATIVE_PATH mona_prefix "${mona_pkgconfig}" "${CMAKE_INSTALL_PREFIX}")
file(RELATIVE_PATH mona_include "${mona_pkgconfig}" "${CMAKE_INSTALL_FULL_INCLUDEDIR}")
list(TRANSFORM MONA_SYSTEM_LIBRARIES PREPEND -l OUTPUT_VARIABLE mona_private)
list(JOIN mona_private " " mona_private)
configure_file(cmake/mona.pc.in mona.pc @ONLY)
install(
  FILES "${PROJECT_BINARY_DIR}/mona.pc"
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
  COMPONENT development
)
