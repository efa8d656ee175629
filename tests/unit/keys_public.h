/* SPDX-License-Identifier: MIT */
/* For unit tests: public keys that ssh-keygen made for them; nobody has their private halves. */
#ifndef GPUVM_TESTS_KEYS_PUBLIC_H
#define GPUVM_TESTS_KEYS_PUBLIC_H

#define KEY_ED25519                                                                                \
	"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ/6hIMZK8RETjsNkmlt2XEnTGeXgHdHlksKpJjQ+uKs"
#define KEY_ECDSA                                                                                  \
	"ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEf/"             \
	"5qpO+ZDZDJmYfi3qjZ80TNRwbccVO2HTtISVKts9rDcpoA3I6d8TBmCqkmLTzMfwBCAkUq1hDqTzdDP2/zs="
#define KEY_RSA                                                                                    \
	"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC1AV07R6AYmWqZ8TIQFXICFGTq1OlIPDMKfr4Rfyg5Ye6ej9D4" \
	"SHn21ZePY94eNR3nsnhcyai8e23MwQ+lGINPufn3KZA8hFlE6Bhzzgxby689i+RNdSxwVmYnrOUMs7d4bPD6ug9"  \
	"9ZXS8Zgo6HA/90oUf+3W61NG4+oJp2d+Alw=="

#endif
