.PHONY: check fmt lint
## check: format, layers, banned functions, sizes, shell lint, static analysis
check: | setup
	@tools/check

## fmt: format all C files
fmt: | setup
	@git ls-files -z --cached --others --exclude-standard -- '*.c' '*.h' | xargs -0 -r $(CLANG_FORMAT) -i

## lint: the same as check
lint: check
