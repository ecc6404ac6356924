# SPDX-License-Identifier: BSD-2-Clause
def main() -> None:
    print("hello")
