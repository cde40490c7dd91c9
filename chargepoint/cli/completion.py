"""`chargepoint completion`: what a shell needs to complete this command."""

from __future__ import annotations

import os
import re
import shlex

import click
from click.shell_completion import get_completion_class

from chargepoint.cli import program

SHELLS = ("bash", "zsh", "fish")


@click.command(name="completion")
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> int:
    """Print a script that makes a shell complete this command.

    \b
        bash: eval "$(chargepoint completion bash)"      in ~/.bashrc
        zsh:  eval "$(chargepoint completion zsh)"       in ~/.zshrc
        fish: chargepoint completion fish | source       in ~/.config/fish/config.fish
    """
    from chargepoint.cli import group

    completion = get_completion_class(shell)
    assert completion is not None, shell
    called = program.name()
    word = called if " " not in called else program.USUAL  # a shell completes one word
    click.echo(_located(completion(group, {}, word, program.COMPLETE_VARIABLE).source(), word))
    return 0


def _located(script: str, word: str) -> str:
    """Let a shell ask this very program, also when the word it completes is a path: there may be another `./run`."""
    if os.sep not in word:
        return script
    path = shlex.quote(os.path.abspath(word))
    asked = rf"(?<={program.COMPLETE_VARIABLE}=)(\w+_complete) (?:\$1|{re.escape(word)})"
    script = re.sub(asked, lambda found: f"{found[1]} {path}", script)
    script = script.replace(f"(commandline -t) {word})", f"(commandline -t) {path})")
    script = script.replace(f"--command {word} ", f"--path {path} ")  # fish knows a command by its last part
    # zsh looks only for commands on PATH.
    return re.sub(r"^ *\(\( ! \$\+commands\[.*\n", "", script, flags=re.MULTILINE)
