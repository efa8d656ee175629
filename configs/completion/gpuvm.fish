# SPDX-License-Identifier: MIT
# fish completion: gpuvm itself says what can come next. Nothing that it says is evaluated.

function __gpuvm_complete
    set -l words (commandline -opc)
    set -e words[1]
    command gpuvm complete -- $words (commandline -ct | string unescape; or echo) 2>/dev/null
end

complete -c gpuvm -f -a '(__gpuvm_complete)'
