# SPDX-License-Identifier: MIT
# bash completion: gpuvm itself says what can come next. Nothing that it says is evaluated.

# The words up to the cursor. readline splits addresses at their colons, and options at =.
_gpuvm_words() {
	local rest=${COMP_LINE:0:COMP_POINT} word i
	words=()
	for ((i = 0; i <= COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if ((i > 1)) && [[ -n $rest && $rest != [[:blank:]]* ]]; then
			words[-1]+=$word
		else
			words+=("$word")
		fi
		rest=${rest#"${rest%%[![:blank:]]*}"}
		rest=${rest#"$word"}
	done
}

_gpuvm() {
	local words typed line candidate before='' i
	_gpuvm_words
	# Quotes are the shell's; readline puts them back where a file's name needs them.
	for i in "${!words[@]}"; do
		words[i]=${words[i]//[\\\"\']/}
	done
	typed=${words[-1]}
	# What readline takes for words of their own stays as it is on the line.
	[[ $COMP_WORDBREAKS == *[:=]* && $typed == *[:=]* ]] && before=${typed%"${typed##*[:=]}"}
	COMPREPLY=()
	while IFS= read -r line; do
		candidate=${line%%$'\t'*}
		[[ $candidate == */ ]] && compopt -o nospace -o filenames
		[[ $candidate == *.ini || $candidate == */* ]] && compopt -o filenames
		COMPREPLY+=("${candidate#"$before"}")
	done < <(command gpuvm complete -- "${words[@]:1}" 2>/dev/null)
}

complete -F _gpuvm gpuvm
