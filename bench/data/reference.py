"""The projects that bench/data.ts compares with, on the same documents, in one process with one thread.

    python reference.py FOLDER LID_FTZ     # FOLDER has inputs.json (bench/data/inputs.ts); a line of JSON when it is ready
    stage NAME  ->  {"wall": s, "cpu": s, "decisions": [...]} or {"error": why}

Versions: bench/data/requirements.txt. datatrove's language model cannot be shipped, so its LanguageFilter gets lid.176.ftz,
the compressed model of the same authors, which ours uses too. hardrules' language identification, language models and
offensive-text model are off on both sides; empty modules stand for packages that it imports for them.
"""
import json
import logging
import os
import shutil
import sys
import time
import types
from argparse import Namespace

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"
folder, lid = sys.argv[1:]
stdout = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # what libraries print is no answer
inputs = json.load(open(os.path.join(folder, "inputs.json"), encoding="utf8"))
from loguru import logger

logger.remove()
logging.disable(logging.CRITICAL)
CODES = dict(
    pair.split(":") for pair in (
        "en:eng_Latn zh:cmn_Hani ar:arb_Arab de:deu_Latn es:spa_Latn fr:fra_Latn ja:jpn_Jpan pt:por_Latn tr:tur_Latn "
        "az:azj_Latn bn:ben_Beng cs:ces_Latn el:ell_Grek he:heb_Hebr hu:hun_Latn id:ind_Latn it:ita_Latn ms:zsm_Latn "
        "ne:npi_Deva nl:nld_Latn pl:pol_Latn ro:ron_Latn ru:rus_Cyrl th:tha_Thai uk:ukr_Cyrl vi:vie_Latn"
    ).split()
)


def documents(which="documents"):
    from datatrove.data import Document
    return [Document(text=d["text"], id=d["id"], metadata={"language": d["language"]}) for d in inputs[which]]


def name_of(result):
    return ("kept" if result is True else "dropped") if not isinstance(result, tuple) else "dropped"


def warc():
    from datatrove.pipeline.readers import WarcReader
    reader = lambda: WarcReader(os.path.dirname(inputs["warc"]), glob_pattern=os.path.basename(inputs["warc"]))
    size = lambda text: str(len(text.encode("utf-16-le")) // 2)
    return lambda: [size(d.text) for _ in range(4) for d in reader().run()]


def content():
    from datatrove.pipeline.extractors import Trafilatura
    from datatrove.pipeline.readers import WarcReader
    pages = [d.text for d in WarcReader(os.path.dirname(inputs["warc"]), glob_pattern=os.path.basename(inputs["warc"])).run()]
    extractor = Trafilatura(deduplicate=False)  # the same pages come in each round
    return lambda: ["text" if extractor.extract(page) else "none" for page in pages]


def url():
    from datatrove.data import Document
    from datatrove.pipeline.filters import URLFilter
    from tldextract import TLDExtract
    lists = inputs["lists"]
    f = URLFilter(use_integrated_lists=False, extra_domains=inputs["blocked"], banned_words=lists["hardWords"],
                  soft_banned_words=lists["softWords"], banned_subwords=lists["subwords"])
    f.tldextractor = TLDExtract(suffix_list_urls=())  # the list that it ships; nothing is fetched
    pages = [Document(text="x", id="0", metadata={"url": u}) for u in inputs["addresses"]]
    return lambda: ["kept" if r is True else r[1] for r in map(f.filter, pages)]


def language():
    from fasttext.FastText import _FastText
    from datatrove.pipeline.filters import LanguageFilter
    f = LanguageFilter()
    f.model._model = _FastText(lid)
    texts = documents()

    def run():
        for d in texts:
            f.filter(d)
        return [d.metadata["language"] for d in texts]
    return run


def rules(which, *names):
    def prepare():
        from datatrove.pipeline.filters import C4QualityFilter, FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter
        from datatrove.utils.text import split_into_parts
        kinds = {"repetition": GopherRepetitionFilter, "quality": GopherQualityFilter, "fineweb": FineWebQualityFilter,
                 "c4": C4QualityFilter}
        texts = documents(which)
        filters = {l: [kinds[n](language=CODES[l]) for n in names] for l in {d.metadata["language"] for d in texts}}
        work = [(d, d.text, filters[d.metadata["language"]]) for d in texts]

        def one(d, text, fs):
            verdict = "kept"
            for f in fs:  # all of them on every document, as ours
                d.text = text
                if name_of(f.filter(d)) == "dropped":
                    verdict = "dropped"
            d.text = text
            return verdict

        def run():
            split_into_parts.cache_clear()
            return [one(*w) for w in work]
        return run
    return prepare


def arpa():
    import kenlm
    return lambda: [str(kenlm.Model(inputs["arpa"]).order)]


def perplexity():
    import kenlm
    model = kenlm.Model(inputs["arpa"])
    lines = [line for d in inputs["english"] for line in d["text"].split("\n")]
    return lambda: [f"{model.score(line):.2f}" for line in lines]


def signatures():
    from datatrove.pipeline.dedup.minhash import MinhashDedupSignature
    from datatrove.utils.word_tokenizers import load_word_tokenizer
    out = os.path.join(folder, "theirs")
    step = MinhashDedupSignature(out)
    tokenizers = {l: load_word_tokenizer(c) for l, c in CODES.items()}
    for tokenizer in tokenizers.values():
        tokenizer.word_tokenize("a b")

    def each():
        for d in texts:
            step.word_tokenizer = tokenizers[d.metadata["language"]]
            yield d
    texts = documents()

    def run():
        shutil.rmtree(out, ignore_errors=True)
        step.run(each())
        return []
    return run


def clusters():
    from datatrove.pipeline.dedup.minhash import MinhashDedupBuckets, MinhashDedupCluster
    sigs, dups, out = (os.path.join(folder, n) for n in ("signatures", "dups", "remove"))

    def run():
        for path in (dups, out):
            shutil.rmtree(path, ignore_errors=True)
        for bucket in range(14):
            MinhashDedupBuckets(sigs, dups).run(None, bucket, 14)
        MinhashDedupCluster(dups, out).run(None, 0, 1)
        return [f"{os.path.getsize(os.path.join(out, '000000.remove')) // 4} dropped"]
    return run


def decontamination():
    from datatrove.pipeline.decont.n_grams import NGramsDecontFilter, NGramsDecontIndexer

    def indexer(code):  # without its check for lighteval, which brings tasks from a hub: only compute_hashes is used
        one = object.__new__(NGramsDecontIndexer)
        one.__init__(out, language=code)
        return one

    out = os.path.join(folder, "index")
    os.makedirs(out, exist_ok=True)
    hashes = set()
    indexers = {l: indexer(c) for l, c in CODES.items()}
    for t in inputs["tests"]:
        hashes.update(indexers[t["language"]].compute_hashes(t["label"], t["query"]))
    import numpy as np
    np.array(sorted(hashes), dtype=np.uint64).tofile(os.path.join(out, "test.index.hashes"))
    filters = {l: NGramsDecontFilter(out, language=c) for l, c in CODES.items()}
    for f in filters.values():
        f.load_index_hashes()
    texts = documents()
    return lambda: ["kept" if filters[d.metadata["language"]].filter(d) is True else "contaminated" for d in texts]


def hardrules():
    class Absent:
        def __init__(self, *_, **__):
            pass
    for module, name in (("fastspell", "FastSpell"), ("fasttext", "FastText")):
        if module not in sys.modules:
            sys.modules[module] = types.ModuleType(module)
            setattr(sys.modules[module], name, Absent)
    from hardrules.hardrules import Hardrules
    rules = Hardrules(Namespace(source_lang="en", target_lang="de", disable_lm_filter=True, lm_threshold=0.5,
        disable_porn_removal=True, disable_lang_ident=True, run_all_rules=True, disable_minimal_length=False, rules_config=None))
    for rule in ("no_wrong_language", "no_porn", "lm_filter"):
        rules.config[rule] = False
    return lambda: ["dropped" if rules.wrong_tu(a, b) else "kept" for a, b in inputs["pairs"]]


def opusfilter():
    from opusfilter import filters as F
    wanted = [F.LengthRatioFilter(), F.LongWordFilter(), F.AverageWordLengthFilter(), F.AlphabetRatioFilter(),
        F.TerminalPunctuationFilter(), F.NonZeroNumeralsFilter(), F.LongestCommonSubstringFilter(), F.SimilarityFilter(),
        F.RepetitionFilter()]
    pairs = [tuple(p) for p in inputs["pairs"]]

    def run():
        ok = [[f.accept(score) for score in f.score(pairs)] for f in wanted]
        return ["kept" if all(column) else "dropped" for column in zip(*ok)]
    return run


STAGES = {
    "WARC reading": warc, "main content": content, "URL filter": url, "language": language,
    **{f"{name}{suffix}": rules(which, *kinds)
       for suffix, which in (("", "documents"), (", en", "english"))
       for name, kinds in (("Gopher quality", ["quality"]), ("Gopher repetition", ["repetition"]), ("C4", ["c4"]),
                           ("FineWeb", ["fineweb"]), ("these four", ["repetition", "quality", "fineweb", "c4"]))},
    "ARPA reading": arpa, "perplexity": perplexity, "MinHash signatures": signatures, "buckets, clusters": clusters,
    "decontamination": decontamination, "pairs: hard rules": hardrules, "pairs: OpusFilter's": opusfilter,
}


def answer(value):
    stdout.write(json.dumps(value) + "\n")
    stdout.flush()


answer({"ready": True, "python": sys.version.split()[0]})
prepared = {}
for line in sys.stdin:
    name = line.rstrip("\n").removeprefix("stage ")
    try:
        if name not in prepared:
            prepared[name] = STAGES[name]()
        wall, cpu = time.perf_counter(), time.process_time()
        decisions = prepared[name]()
        answer({"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "decisions": decisions})
    except Exception as error:  # one stage that cannot run leaves the others
        answer({"error": f"{type(error).__name__}: {error}".split("\n")[0][:200]})
