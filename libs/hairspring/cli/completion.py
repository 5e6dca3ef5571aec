"""`hairspring completion`: the script by which a shell completes commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    For bash, add this to ~/.bashrc:  eval "$(hairspring completion bash)"
    """
    kind = get_completion_class(shell)
    root = context.find_root().command
    if kind is None:
        raise click.ClickException(f"There is no completion for {shell}.")
    click.echo(kind(root, {}, "hairspring", "_HAIRSPRING_COMPLETE").source())
