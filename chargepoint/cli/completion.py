"""`chargepoint completion`: what a shell needs to complete this command."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

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
    click.echo(completion(group, {}, "chargepoint", "_CHARGEPOINT_COMPLETE").source())
    return 0
