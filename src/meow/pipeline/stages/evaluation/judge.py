"""A second opinion on the answers of an evaluation, by a chat model behind a server."""

from __future__ import annotations

from meow import keys, labels, results
from meow.chat.replies import Replies, Request
from meow.config import RunConfig
from meow.evaluation import judging, scoring
from meow.pipeline.stages.asking import heard
from meow.processes import agreed
from meow.records import Reply, read_records, write_records
from meow.run import Run
from meow.run.rows import keeping
from meow.terminal import say
from meow.text import counted


def judge(folder: Run, config: RunConfig) -> None:
    """Every answer to a forget question of every model that was evaluated -> what the judge says of it, and the logs.

    The verdicts stand in the samples, so that numbers can be computed again without a judge.
    """
    wanted = config.eval.judge
    samples = {label: found for label in labels.MODELS if (found := results.samples(folder.path, label))}
    asked = [(s, judging.questions(s, wanted)) for found in samples.values() for s in found]
    requests = [request for _, questions in asked for request in questions]
    key = keys.of_stage("judge", config, {}, requests)
    if folder.current("judge", *key) and all(len(s.judged) == len(questions) for s, questions in asked):
        return
    with folder.stage("judge", *key) as entry:
        file = folder / "eval/replies.jsonl"
        with keeping(file, Reply) as (known, keep):
            replies = Replies(wanted, known=known, keep=keep)
            agreed(lambda: _ask(requests, replies))
        said = {reply.key: reply for reply in read_records(file, Reply)}  # what another process has asked, too
        replies = Replies(wanted, known=said)
        for label, found in samples.items():
            write_records(folder / f"eval/{label}/samples.jsonl", [judging.judged(s, wanted, replies) for s in found])
            agreed(lambda: None)  # it is written before another process reads it
            scoring.again(folder, config, label)
        entry |= {"rows": len(requests)} | replies.as_object()
        say(f"judge: {replies.said()}")


def _ask(requests: list[Request], replies: Replies) -> None:
    new = judging.unknown(requests, replies)
    if new:
        say(f"judge: {counted(len(new), 'text')} with question and true value go to {replies.settings.url}")
    heard([judging.asked(request) for request in new], replies, "judging answers")
