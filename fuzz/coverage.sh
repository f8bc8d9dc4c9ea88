#!/bin/sh
# A wrapper around rustc (RUSTC_WRAPPER): what is fuzzed counts where it has been, for libFuzzer. Libraries do not: that
# would take an hour to build, and lead away from our own code. It needs no nightly toolchain.
for word in "$@"; do
	if [ "$before" = --crate-name ]; then
		case "$word" in
		flowlake | flowlake_fuzz | split | decode | definition | answer)
			exec "$@" --cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
				-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
				-Cllvm-args=-sanitizer-coverage-trace-compares -Cllvm-args=-simplifycfg-branch-fold-threshold=0
			;;
		esac
		break
	fi
	before=$word
done
exec "$@"
