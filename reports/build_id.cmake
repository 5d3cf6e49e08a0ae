# Writes OUTPUT with the commit that is built, and touches it only when it changed: run at every build, it makes one file compile
# after a commit and nothing otherwise.
set(ENV{GIT_OPTIONAL_LOCKS} 0)
execute_process(COMMAND git describe --always --dirty --abbrev=7 --exclude=*
                WORKING_DIRECTORY ${SOURCE_DIR} OUTPUT_VARIABLE id ERROR_QUIET
                OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE failed)
if(failed OR NOT id)
  set(id unknown)
endif()
set(text "#pragma once\ninline constexpr char kGeneratedBuildId[] = \"${id}\";\n")
string(APPEND text "inline constexpr char kGeneratedBuildType[] = \"${BUILD_TYPE}\";\n")
if(EXISTS ${OUTPUT})
  file(READ ${OUTPUT} old)
endif()
if(NOT "${old}" STREQUAL "${text}")
  file(WRITE ${OUTPUT} "${text}")
endif()
