"""The web recipe beside this file (settings.json) as a datatrove pipeline: made by `marco data export`.

    pip install -r requirements.txt
    python pipeline.py --input FOLDER --output FOLDER                                    # on this machine
    python pipeline.py --input FOLDER --output FOLDER --executor slurm --partition cpu   # or --executor ray
    python pipeline.py ... --dry-run                                                     # only print the steps

Input: .jsonl(.gz) rows {"text", "id", "url"}, or WARC files with --warc. Output: kept/LANGUAGE/, and for each step
dropped/STEP/ with `filter_reason`, which is the name of our rule. README.md says what is the same and what is not.
"""
import argparse
import json
import re
import unicodedata
from collections import Counter
from math import sqrt
from pathlib import Path

from datatrove.data import Document
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.dedup.minhash import (
    MinhashConfig, MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature,
)
from datatrove.pipeline.extractors import Trafilatura
from datatrove.pipeline.filters import FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter, URLFilter
from datatrove.pipeline.filters.base_filter import BaseFilter
from datatrove.pipeline.filters.language_filter import LanguageFilter
from datatrove.pipeline.readers import JsonlReader, WarcReader
from datatrove.pipeline.writers import JsonlWriter
from datatrove.utils.hashing import HashConfig
from datatrove.utils.text import PUNCTUATION_SET, split_into_words

SETTINGS = json.loads(Path(__file__).with_name("settings.json").read_text("utf8"))
UNDETERMINED_LETTERS = 20  # fewer say nothing of the language; a Chinese, Japanese or Korean one counts three times
FILTERS = {"gopherQuality": GopherQualityFilter, "gopherRepetition": GopherRepetitionFilter, "fineWeb": FineWebQualityFilter}


class Clean(PipelineStep):
    """Line breaks, no control characters, halves of surrogate pairs replaced, NFC: what rules and hashes see."""

    name = "Clean"
    type = "FORMAT"

    def run(self, data, rank=0, world_size=1):
        for doc in data:
            text = re.sub(r"\r\n?", "\n", doc.text)
            text = re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f]", "", text)
            doc.text = unicodedata.normalize("NFC", re.sub(r"[\ud800-\udfff]", "\ufffd", text))
            yield doc


class Url(URLFilter):
    """datatrove's filter on the address in small letters. A page without one is dropped, a text without one is not."""

    def __init__(self, needed, exclusion_writer=None):
        lists = SETTINGS["url"]
        super().__init__(
            extra_domains=lists["domains"], extra_urls=lists["urls"], banned_words=lists["hardWords"],
            soft_banned_words=lists["softWords"], banned_subwords=lists["subwords"], use_integrated_lists=False,
            exclusion_writer=exclusion_writer,
        )
        from tldextract import TLDExtract
        self.tldextractor = TLDExtract(suffix_list_urls=())  # the list of its release: the same on every machine
        self.needed = needed

    def filter(self, doc):
        url = (doc.metadata.get("url") or "").strip()
        if not url:
            return (False, "url.no_url") if self.needed else True
        result = super().filter(Document(text="", id=doc.id, metadata={"url": url.lower()}))
        return result if result is True else (False, SETTINGS["reasons"].get(result[1], result[1]))


class Language(LanguageFilter):
    """fastText's lid.176 with a limit for each language."""

    def __init__(self, model=None, exclusion_writer=None):
        super().__init__(label_only=True, exclusion_writer=exclusion_writer)
        self.path = model

    def filter(self, doc):
        if self.path and self.model._model is None:
            from fasttext.FastText import _FastText
            self.model._model = _FastText(self.path)
        if not any(c.isalnum() for c in doc.text):
            return False, "empty"
        letters = sum((3 if c >= "\u2e80" else 1) for c in doc.text if c.isalpha())
        if letters < UNDETERMINED_LETTERS:
            return False, "language.undetermined"
        super().filter(doc)
        wanted = SETTINGS["languages"].get(doc.metadata["language"])
        if wanted is None:
            return False, "language.wanted"
        return True if doc.metadata["language_score"] >= wanted["languageLimit"] else (False, "language.score")


def ratio(a, b):
    return a / b if b else 0


def is_symbol(word):
    return all(c in PUNCTUATION_SET for c in word)


def paper(text, words, settings):
    """src/data/rules/paper.ts"""
    lines = [line for line in text.split("\n") if line.strip() != ""]
    yield "empty", sum(any(c.isalpha() for c in w) for w in words)
    yield "paper.characters", len(text)
    yield "paper.symbols", ratio(sum(map(is_symbol, words)), len(words))
    yield "paper.shortLines", ratio(sum(len(line) <= 30 for line in lines), len(lines))
    yield "paper.consecutiveLines", ratio(sum(a == b for a, b in zip(lines, lines[1:])), len(lines))


def roots(text, words, settings):
    """src/data/rules/roots.ts"""
    lower = [w.lower() for w in words if not is_symbol(w)]
    stop, (n_characters, n_words) = set(settings["stopWords"]), settings["nGrams"]
    yield "roots.words", len(lower)
    yield "roots.specialCharacters", ratio(sum(unicodedata.category(c)[0] not in "LM" for c in text), len(text))
    yield "roots.stopWords", ratio(sum(w in stop for w in lower), len(lower))
    yield "roots.flaggedWords", min(1, ratio(blocked_words(text, settings), len(lower)))
    grams = Counter(text[i : i + n_characters] for i in range(len(text) - n_characters + 1))
    repeated = sorted((n for n in grams.values() if n > 1), reverse=True)[: int(sqrt(len(grams)))]
    yield "roots.characterRepetition", ratio(sum(repeated), grams.total())
    grams = Counter(tuple(lower[i : i + n_words]) for i in range(len(lower) - n_words + 1))
    yield "roots.wordRepetition", ratio(sum(n for n in grams.values() if n > 1), grams.total())


def blocked_words(text, settings):
    """src/data/rules/blocklist.ts: words that no letter touches; where no spaces are written, no Latin letter or katakana."""
    if "pattern" not in settings:
        marks = "".join(c for c in map(chr, range(0x20000)) if unicodedata.category(c)[0] == "M")
        letter, no_mark = r"[^\W_]", f"(?![{marks}])"

        def edges(word):
            if not settings["unspaced"]:
                return f"(?<!{letter})(?<![{marks}])", f"(?!{letter}){no_mark}"
            runs = [
                r"[\u30a0-\u30ff]" if "\u30a0" <= c <= "\u30ff" else r"[0-9A-Za-zªµºÀ-ÖØ-öø-ɏ]" if c.isalnum() and c < "\u0250" else None
                for c in (word[0], word[-1])
            ]
            return f"(?<!{runs[0]})" if runs[0] else "", (f"(?!{runs[1]})" if runs[1] else "") + no_mark

        words = sorted(settings["words"], key=len, reverse=True)
        parts = (f"{before}{re.escape(word)}{after}" for word in words for before, after in [edges(word)])
        settings["pattern"] = re.compile("|".join(parts)) if words else None
    return len(settings["pattern"].findall(text.lower())) if settings["pattern"] else 0


def blocklist(text, words, settings):
    yield "blocklist.words", min(1, ratio(blocked_words(text, settings), len(words)))


def perplexity(text, words, settings):
    """src/data/lm/perplexity.ts, line by line"""
    if "model" not in settings:
        import kenlm
        settings["model"] = kenlm.Model(settings["path"])
    lines = [tokens for tokens in (line.split() for line in text.split("\n")) if tokens]
    score = sum(settings["model"].score(" ".join(tokens)) for tokens in lines)
    if lines:
        yield "lm.perplexity", 10 ** (-score / sum(len(tokens) + 1 for tokens in lines))


OWN = {"paper": paper, "roots": roots, "blocklist": blocklist, "perplexity": perplexity}


class Rules(BaseFilter):
    """One set of rules, with each language's limits. What datatrove has is datatrove's filter; the rest is above."""

    def __init__(self, name, exclusion_writer=None):
        super().__init__(exclusion_writer)
        self.name = f"Rules: {name}"
        self.set = name
        self.own = {}
        self.filters = {}

    def filter(self, doc):
        language = doc.metadata["language"]
        settings = SETTINGS["languages"][language]
        step = settings["rules"].get(self.set)
        if step is None:
            return True
        if self.set in FILTERS:
            if language not in self.filters:
                self.filters[language] = FILTERS[self.set](language=settings["datatrove"], **tuples(step["arguments"]))
            if not split_into_words(doc.text, settings["datatrove"]):
                return False, "empty"
            result = self.filters[language].filter(doc)
            return result if result is True else (False, SETTINGS["reasons"].get(result[1], result[1]))
        own = self.own.setdefault(language, dict(step))
        for rule, value in OWN[self.set](doc.text, split_into_words(doc.text, settings["datatrove"]), own):
            limit, keep = step["limits"][rule]
            if not (value >= limit if keep == "atLeast" else value <= limit):
                return False, rule
        return True


def tuples(arguments):
    return {k: tuple(map(tuple, v)) if k.endswith("_n_grams") else v for k, v in arguments.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--input", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--warc", action="store_true", help="input is WARC files; their content by trafilatura")
    parser.add_argument("--lid-model", help="a file lid.176.bin or .ftz (default: datatrove downloads lid.176.bin)")
    parser.add_argument("--executor", choices=["local", "slurm", "ray"], default="local")
    parser.add_argument("--tasks", type=int, default=1, help="input files are shared among so many")
    parser.add_argument("--workers", type=int, default=-1, help="tasks at the same time; -1: all")
    parser.add_argument("--partition", default="cpu", help="of Slurm")
    parser.add_argument("--time", default="24:00:00", help="of Slurm")
    parser.add_argument("--dry-run", action="store_true")
    args = parser.parse_args()
    out = args.output.rstrip("/")
    dropped = lambda step: JsonlWriter(f"{out}/dropped/{step}", compression=None)
    kept = f"{out}/kept" if SETTINGS["minHash"] is None else f"{out}/filtered"
    by_language = lambda folder: JsonlWriter(folder, output_filename="${language}/${rank}.jsonl", compression=None)

    def executor(name, pipeline, tasks, depends=None):
        common = dict(pipeline=pipeline, tasks=tasks, workers=args.workers, logging_dir=f"{out}/logs/{name}", depends=depends)
        if args.executor == "slurm":
            from datatrove.executor import SlurmPipelineExecutor
            return SlurmPipelineExecutor(job_name=name, partition=args.partition, time=args.time, **common)
        if args.executor == "ray":
            from datatrove.executor import RayPipelineExecutor
            return RayPipelineExecutor(**common)
        from datatrove.executor import LocalPipelineExecutor
        return LocalPipelineExecutor(**common)

    reader = WarcReader(args.input) if args.warc else JsonlReader(args.input)
    jobs = [executor("filter", [
        reader, *([Trafilatura(favour_precision=True)] if args.warc else []), Clean(),
        Url(args.warc, dropped("url")), Language(args.lid_model, dropped("language")),
        *(Rules(name, dropped(name)) for name in SETTINGS["sets"]), by_language(kept),
    ], args.tasks)]
    if SETTINGS["minHash"] is not None:
        m = SETTINGS["minHash"]
        config = MinhashConfig(n_grams=m["words"], num_buckets=m["bands"], hashes_per_bucket=m["rows"], seed=m["seed"],
                               hash_config=HashConfig(hash_fc="xxhash", precision=64))
        for language, settings in SETTINGS["languages"].items():
            at = lambda step, l=language: f"{out}/minhash/{l}/{step}"
            texts = f"{kept}/{language}"
            Path(texts).mkdir(parents=True, exist_ok=True)  # a language may have no document
            sign = executor(f"signatures-{language}", [JsonlReader(texts), MinhashDedupSignature(
                at("signatures"), config, language=settings["datatrove"])], args.tasks, jobs[0])
            buckets = executor(f"buckets-{language}", [MinhashDedupBuckets(at("signatures"), at("buckets"), config=config)],
                               m["bands"], sign)
            cluster = executor(f"clusters-{language}", [MinhashDedupCluster(at("buckets"), at("remove"), config=config)], 1, buckets)
            finish = executor(f"keep-{language}", [JsonlReader(texts), MinhashDedupFilter(
                at("remove"), exclusion_writer=dropped(f"minHash/{language}")), by_language(f"{out}/kept")], args.tasks, cluster)
            jobs += [sign, buckets, cluster, finish]
    for job in jobs:
        if args.dry_run:
            print(type(job).__name__, *(f"\n    {step}" for step in job.pipeline), sep="")
        else:
            job.run()


if __name__ == "__main__":
    main()
