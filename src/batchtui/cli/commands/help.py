"""help, completion and config, and the help topics."""

from __future__ import annotations

import difflib

import click
from click.shell_completion import CompletionItem

from batchtui.cli import completion
from batchtui.cli.program import group
from batchtui.cli.verbs import VERBS
from batchtui.config.first import FIRST_CONFIG, write_first_config
from batchtui.domain.errors import InputError

TOPICS = {
    "exit-codes": """Exit codes

  0    all done and all succeeded (answers that are cut short or invalid have succeeded; --strict makes it 1)
  1    done, but some requests did not succeed; list, show, watch, sync: the API does not know a batch any more
  2    bad input or usage; nothing was sent
  3    refused by the API, or no network
  4    sent, and the outcome is unknown (batchtui sync checks again and never sends twice)
  130  interrupted
  141  the reader of standard output closed it, as with | head""",
    "json": """--json: one JSON value on standard output, nothing else there; dollars are numbers, times are RFC 3339 in UTC

  check    {requests, bytes, batches, format, skipped, errors, warnings, problems[{where, custom_id, level, message, code}],
           problem_groups[{code, level, message, count}], estimate{input_tokens[lo,hi], output_tokens[lo,hi],
           batch_usd[lo,hi], standard_usd[lo,hi], likely_usd, unpriced[], calibrated}}
  submit   {run, batches[record]}; retry and again the same; as check when nothing was sent
  list     [record]; watch, cancel, fetch the same
  show     record; adopt the same
  delete   [local_id]
  results  {records[record], output, skipped}
  count    {field, by, form, rows, distinct, values[{value, kind, rows, share, also[], filter, by{}}], summary}
  score    {field, gold{kind, name}, rows, usable, accuracy{hits, rows, value, low, high}, kappa, macro_f1, classes[{label,
           gold, answered, precision, recall, f1}], matrix{gold: {answer: rows}}, not_usable{gold: rows}, …}
  compare  counts and totals of both sides, fields[]; with --field {field, runs[], rows, usable[], agree, kappa, matrix,
           differ, gold, right{both, left, right, neither, p_value}, cost_usd[]}
  sync     {fetched[], adopted[], sent[], unconfirmed[], unknown{local_id: why}, failed{local_id: why}, error}
  doctor   [{level, what, found}]
  serve    {base_url, pid}
  record   local_id, id, run, attempt, retry_of, part, parts, title, note, profile, status, counts{processing, succeeded, errored,
           canceled, expired}, requests, created_at, ended_at, expires_at, results, tally, estimate, cost_usd, error, …""",
    "files": """Files on disk

  <data>/batches/LOCAL_ID/batch.json       the record
                          requests.jsonl   the requests as sent
                          results.jsonl    the results as received; results.jsonl.part while they come
                          results.index    rebuilt when missing
                          results.fields   the fields of the answers; rebuilt when missing
                          answer.json      the whole schema that answers are checked by
                          ids.jsonl        the row of the source that each request was made from
                          skipped.jsonl    requests that were skipped because of errors
                          recipe.toml      what the run was made from: sources, template, model, options
                          review.jsonl     your verdicts on answers, and samples
  <data>/drafts/NAME.toml                  requests composed and not sent yet
  <data>/plans/                            requests checked and not confirmed yet; swept after two days
  <data>/demo/                             the same for the demo
  <config>/config.toml                     settings and profiles; never a key

<data> is --data-dir, BATCHTUI_DATA_DIR, or the platform's own; <config> is BATCHTUI_CONFIG_DIR or the platform's own.""",
    "filters": """Filters of results (/ on the screen, --filter of results, retry, count, score and run:ID); all parts must match

  kettle "late delivery"   words in the id or the answer, not in columns; -kettle excludes, also before a field
  prompt:kettle            words in the request
  product:kettle           words in a column or field, here one called product; a number is equal
  topic=price              exactly this value; also note=null
  urgency>3                numbers by size, texts by their order; with > < >= <=
  note:* -note:*           has a value; has none
  len(reason)>80           the length of a text in characters
  is: or outcome:          succeeded, errored, canceled, expired, missing, waiting, unknown, unreadable, usable, cut_short,
                           invalid, bad, duplicate, unexpected, unpriced, retried; a beginning is enough
  id: stop: error: model:  a part of the id, the stop reason, the error's type or message, the model
  tokens>1000              also in, out, cache, cost (dollars), size (bytes), line, attempt (1 is the first submit),
                           older; with > < >= <= =; 1.5k and 5MB work too

A name means a column, else a field of the answers, else what batchtui says of a request; row.x, answer.x and run.x say
which. Quote text that looks like a field: "name: x".

On home: words of title, note, source, ids, models and status; status:a,b (status:needs is what needs attention),
model:, profile:, title:, note:, id:, source:, age<2d, cost>1, requests>1000.""",
    "templates": """Templates: a TOML file that turns rows into requests (--template FILE.toml); its texts may hold Jinja2

  model, max_tokens   as in a request
  system              the system prompt
  prompt              the user's turn; or messages, turn by turn
  custom_id           from a column: "{{ id }}"; generated when missing or invalid
  betas               for the whole batch
  [answer]            the fields of the answer (below); at the end of the file
  …                   any other Messages param, as in a request

A column is used by its name, with underscores for spaces ({{ first_name }}), or as {{ row["first name"] }}; {{ row_number }}
counts from 1.  For example:

  model = "claude-haiku-4-5"
  max_tokens = 50
  prompt = "Is this review positive or negative? {{ text }}"
  custom_id = "{{ id }}"

[answer] asks for JSON (a structured output) and checks every answer:

  [answer]
  sentiment = ["positive", "negative", "mixed"]              one of these
  topic = "string"                                           or integer, number, boolean
  urgency = { type = "integer", minimum = 1, maximum = 5 }   keywords of JSON Schema
  tags = { type = "array", items = "string" }

Bounds and lengths, which the API does not accept, are described to the model and checked by batchtui.  An answer that is not
JSON, or does not fit, is invalid: batchtui results ID --only invalid shows them, retry ID --only invalid retries them.""",
    "config": "config.toml: every setting is optional\n\n" + FIRST_CONFIG,
    "keys": """Keys of the screen (? shows those of the current screen; [keys] in config.toml rebinds them)

  everywhere   ? help   ctrl+p all actions   esc back   f5 redraw   q quit
  lists        arrows or j k g G   enter open   space mark   * mark all
  home         n new   i import   c cancel   r retry   a run again   b new batch from answers   x export
               f download again   d delete   e title and note   v details   / filter   s sort   R refresh
               o other batches   $ spending   p profiles   , settings   y copy the ID
  results      / filter   s sort   # count   C columns   E errors   r retry   x export   y copy   V review
               A score   = compare   u whole run   a run again   b new batch from answers   m Markdown
               v raw JSON   f download again""",
}


def _topics(_: click.Context, __: click.Parameter, begun: str) -> list[CompletionItem]:
    """What there is help on."""
    verbs = ((name, line) for name, (_, line) in VERBS.items())
    return list(completion.starting(begun, [*((name, "") for name in TOPICS), *verbs]))


@click.command("help")
@click.argument("topic", required=False, shell_complete=_topics)
@click.pass_context
def help_(ctx: click.Context, topic: str | None) -> None:
    """Help on a verb or a topic."""
    if topic in TOPICS:
        click.echo(TOPICS[topic])
    elif topic in VERBS:
        command = group.get_command(ctx, topic)
        assert command is not None
        with click.Context(command, info_name=f"batchtui {topic}") as inner:
            click.echo(command.get_help(inner))
    elif topic is None:
        assert ctx.parent is not None
        click.echo(group.get_help(ctx.parent))
        click.echo("\nTopics: " + ", ".join(TOPICS) + " (batchtui help TOPIC)")
    else:
        near = difflib.get_close_matches(topic.lower(), [*TOPICS, *VERBS], n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise InputError(f"no help on {topic!r}", advice=f"{hint}topics: {', '.join(TOPICS)}")


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion_(shell: str) -> None:
    """Print the completion script: eval "$(batchtui completion bash)"."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(group, {}, "batchtui", "_BATCHTUI_COMPLETE").source())


@click.command("config")
@click.option("--edit", is_flag=True, help="Open the file in $EDITOR.")
def config_(edit: bool) -> None:
    """Print the path of config.toml, created with comments if missing; --edit opens it."""
    path = write_first_config()
    if edit:
        click.edit(filename=str(path))
        from batchtui.config.load import load_config

        for warning in load_config(path).warnings:
            click.echo(f"warning: {warning}", err=True)
        return
    click.echo(path)
