# SPDX-License-Identifier: MIT
# arguments.sh: the command line that build.sh, demo.sh and test.sh have in common:
#
#     [FLAG] [BUILD-DIRECTORY [CONFIGURE-OPTION...]]
#
# It is sourced, and the script defines a function usage.

# take_arguments FLAG ARGUMENT...: sets flag_given (yes or no), source, build and the array
# configure_options. --help prints the usage and ends the script.
take_arguments() {
    local flag=$1

    shift
    flag_given=no
    case ${1:-} in
        "$flag")
            flag_given=yes
            shift
            ;;
        -h | --help)
            usage
            exit 0
            ;;
    esac
    source=$(cd "$(dirname "$0")/.." && pwd)
    build=${1:-$source/build}
    [ $# -eq 0 ] || shift
    # shellcheck disable=SC2034
    configure_options=("$@")
}
