"""Which encoding a text is in: by its marks, as UTF-8, else by what its letters would be in each encoding people use.

A detector alone is often wrong about the few accented letters of a short table, and wrong letters are paid for.  So each
encoding is judged by the languages that are written in it, and a text that fits none, or several that differ, is refused.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from typing import NamedTuple

from batchtui.intake.problems import Found, error, warning
from batchtui.intake.sources import SourceFault

SAMPLE = 1 << 15
"""Bytes that are judged in each encoding, at most: so much tells, and judging takes microseconds a byte."""
_DETECTED_FROM = 1 << 17
"""Bytes that the detector is given, which samples them itself."""
_ASCII = bytes(range(128))
_MARKS = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
    (b"\xef\xbb\xbf", "utf-8-sig"),
)
_ODD = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ufffd\ue000-\uf8ff]")
NAME_IT = "save the file as UTF-8, or name its encoding (--encoding, Table options on the screen)"


class Guess(NamedTuple):
    """What a text was found to be in; ``line`` is the first that tells, from 1."""

    encoding: str
    line: int

    @property
    def found(self) -> Found:
        """The warning that says so."""
        what = f"not UTF-8: read as {self.encoding} (detected); --encoding names another"
        return warning("encoding", what)


def known(name: str) -> str:
    """Python's name of a text encoding, "" when there is none of this name."""
    try:
        found = codecs.lookup(name.strip())
    except (LookupError, ValueError):
        return ""
    return found.name if getattr(found, "_is_text_encoding", True) and found.name not in ("undefined", "idna") else ""


def marked(head: bytes) -> str:
    """The encoding that a byte order mark names, "" without one."""
    return next((name for mark, name in _MARKS if head.startswith(mark)), "")


def wide(head: bytes) -> str:
    """UTF-16 or UTF-32 without a mark, told by where its zero bytes stand; "" for anything else."""
    sample = head[: 1 << 16]
    if b"\x00" not in sample:
        return ""
    # Where text is wide every line end has a zero byte beside it; a few zero bytes in plain text are damage.
    if sample.isascii() and sample.count(b"\n") > 2 * (sample.count(b"\n\0") + sample.count(b"\0\n")):
        return ""
    for name in ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be"):
        width = 4 if "32" in name else 2
        cut = sample[: len(sample) // width * width]
        try:
            text = codecs.getincrementaldecoder(name)().decode(cut)
        except (UnicodeDecodeError, ValueError):
            continue
        if text and not _ODD.search(text) and _usual(text):
            return name
    return ""


def _usual(text: str) -> bool:
    """Whether a text has as many plain signs as any table has: spaces, digits, line ends; what is misread has hardly any."""
    plain = sum(text.count(sign) for sign in " \r\n\t,;|0123456789eainot\u3001\u3002")
    return plain * (25 if "\n" in text or "\r" in text else 3) >= len(text)


def is_utf8(data: bytes, *, cut: bool) -> bool:
    """Whether bytes are UTF-8; with ``cut`` a sign may be cut off at their end."""
    try:
        data.decode()
    except UnicodeDecodeError as bad:
        return cut and bad.start >= len(data) - 3 and bad.reason == "unexpected end of data"
    return True


def mostly_utf8(data: bytes) -> bool:
    """Whether bytes that are no UTF-8 are damaged UTF-8: most of the signs beyond ASCII are whole."""
    text = data.decode(errors="replace")
    damaged = text.count("\ufffd")
    whole = sum(1 for sign in text if sign > "\x7f") - damaged
    return whole >= 2 * damaged


def guess(data: bytes) -> Guess:
    """The encoding of bytes that are no UTF-8; raises SourceFault when nothing, or more than one thing, is plausible."""
    first = re.search(rb"[\x80-\xff]", data)
    line = data.count(b"\n", 0, first.start()) + 1 if first else 1
    for escape, name in ((b"\x1b$", "iso2022_jp"), (b"~{", "hz")):
        if escape in data and first is None:
            return Guess(name, 1)
    sample, cut = _telling(data, SAMPLE)
    judged: dict[str, tuple[float, str]] = {}
    for candidate in _CANDIDATES:
        score, text = candidate.judge(sample, cut=cut)
        if score > 0 and (text not in judged or judged[text][0] < score):
            judged[text] = (score, candidate.encoding)
    ranked = sorted(((score, name, text) for text, (score, name) in judged.items()), reverse=True)
    if not ranked or ranked[0][0] < _LEAST:
        return Guess(_detected(_telling(data, _DETECTED_FROM)[0], line), line)
    best, name, text = ranked[0]
    few = name in _ALPHABETIC and len(_WORD.findall(text.translate(_NO_ASCII))) < _FEW_WORDS
    if len(ranked) > 1 and ranked[1][0] > best - (_WIDE_MARGIN if few else _MARGIN):
        others = " or ".join(each for _, each, _ in ranked[:3])
        raise SourceFault(error("encoding", f"not UTF-8, and it may be {others}: {NAME_IT}"), line)
    return Guess(name, line)


def _telling(data: bytes, most: int) -> tuple[bytes, bool]:
    """The lines with bytes beyond ASCII, ``most`` bytes of them, and whether a sign may be cut off at their end.

    Where there are more, each that brings such a byte first is among them, the others are taken from everywhere.
    """
    lines = [line for line in data.split(b"\n")[:200_000] if not line.isascii()]
    if len(lines) > 1 and not data.endswith(b"\n"):
        del lines[-1:]
    size = sum(map(len, lines))
    if size > most:
        seen: set[int] = set()
        fresh: list[bytes] = []
        known: list[bytes] = []
        for line in lines:
            beyond = set(line.translate(None, _ASCII))
            (known if beyond <= seen else fresh).append(line)
            seen |= beyond
        lines = [*fresh, *known[:: 1 + size // most]]
    whole = b"\n".join(lines)
    return whole[:most], len(whole) > most


def _detected(sample: bytes, line: int) -> str:
    """What the detector says of a text in a script that is not judged here, where it is sure; raises SourceFault."""
    import charset_normalizer

    found = charset_normalizer.from_bytes(sample).best()
    if found is None or found.chaos > 0.05 or found.encoding not in _DETECTED or not _one_script(str(found)):
        raise SourceFault(error("encoding", f"not UTF-8, and no encoding fits: {NAME_IT}"), line)
    return found.encoding


def _one_script(text: str) -> bool:
    """Whether all letters beyond ASCII are of one script that is not Latin, as the detector's table names it."""
    import unicodedata

    scripts = {
        unicodedata.name(sign, "?").split()[0]
        for sign in set(text)
        if sign > "\x7f" and unicodedata.category(sign)[0] == "L"
    }
    return len(scripts) == 1 and scripts <= {"THAI", "ARABIC"}


# --- how a text looks in an encoding ----------------------------------------------------------------------------------

_MARGIN = 0.08
_WIDE_MARGIN = 0.2
"""Where so few words tell that one in capitals may be another in small letters."""
_FEW_WORDS = 4
_ALPHABETIC = (*("cp1251", "koi8_r", "iso8859_5", "cp866", "mac_cyrillic", "iso8859_7", "cp1253", "cp1255"),)
_NO_ASCII = dict.fromkeys(range(128), " ")
_LEAST = 0.65
_TYPOGRAPHY = "“”„‘’‚–—…€£§°·•«»‹›™®©½¼¾²³µ×±¿¡ªº\u00a0\u00ad´¨†‡‰№"
_ALPHABETS = {
    # The letters beyond ASCII of each language; those first that are met most.
    "french": "éèàçêâîôûùëïœæüÿÉÈÀÇÊÂÎÔÛÙËÏŒÆÜ",
    "italian": "àèéìòùîÀÈÉÌÒÙ",
    "spanish": "áéíóúñüãõçâêôàòïÁÉÍÓÚÑÜÃÕÇÂÊÔÀªº",
    "german": "äöüßåéàèÄÖÜÅÉ",
    "danish": "æøåéöäóÆØÅÉ",
    "icelandic": "áéíóúýþæðöÁÉÍÓÚÝÞÆÐÖ",
    "polish": "ąćęłńóśźżĄĆĘŁŃÓŚŹŻ",
    "czech": "áčďéěíňóřšťúůýžÁČĎÉĚÍŇÓŘŠŤÚŮÝŽ",
    "slovak": "áäčďéíĺľňóôŕšťúýžÁÄČĎÉÍĹĽŇÓÔŔŠŤÚÝŽ",
    "hungarian": "áéíóöőúüűÁÉÍÓÖŐÚÜŰ",
    "croatian": "čćđšžČĆĐŠŽ",
    "romanian": "ăâîşţĂÂÎŞŢ",
    "turkish": "çğıöşüÇĞİÖŞÜâîû",
    "baltic": "āčēģīķļņšūžĀČĒĢĪĶĻŅŠŪŽąęėįųĄĘĖĮŲõäöüÕÄÖÜ",
}
_WORD = re.compile(r"[^\W\d_]+")
_RUSSIAN = "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфёъ"
_UKRAINIAN = "оаинвіртескмлдуп'ьяягзбчйїхжєшюцщфґ"
_GREEK = "αοιετσνηυρπκμλςάίόέήώδγχθφύβξζψϊϋΐΰ"
_HEBREW = "יוהלאתרבמשנםחדעקפטכגזסןצךץףא"
_HANZI = (
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方多经么去法学"
    "如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第公此已工使情明性知全三又关点正业外将"
    "两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加西斯月话合回特代内信表化老给世位次度门任常先海通教儿原东声提立及"
    "比员解水名真论处走义各入几口认条平系气题活尔更别打女变四神总何电数安少报才结反受目太量再感建务做接必场件计管期市直德资命山金指克许统"
    "区保至队形社便空决治展马科司五基眼书非则听白却界达光放强即像难且权思王象完设式色路记南品住告类求据程北边死张该交规万取拉格望觉术领共"
    "确传师观清今切院让识候带导争运价格商店买卖货服务态度质量推荐速快慢差评满意喜欢错包装味吃饭钱费"
)
_HANZI_OLD = (
    "的一是不了在人有我他這個們中來上大為和國地到以說時要就出會可也你對生能而子那得於著下自之年過發後作裡用道行所然家種事成方多經麼去法學"
    "如都同現當沒動面起看定天分還進好小部其些主樣理心她本前開但因只從想實日軍者意無力它與長把機十民第公此已工使情明性知全三又關點正業外將"
    "兩高間由問很最重並物手應戰向頭文體政美相見被利什二等產或新己制身果加西斯月話合回特代內信表化老給世位次度門任常先海通教兒原東聲提立及"
    "比員解水名真論處走義各入幾口認條平系氣題活爾更別打女變四神總何電數安少報才結反受目太量再感建務做接必場件計管期市直德資命山金指克許統"
    "確傳師觀清今切院讓識候帶導爭運價格商店買賣貨服務態度質量推薦購速快慢差評滿意喜歡錯包裝味吃飯錢費"
)
_HANGUL = (
    "이다는에의가하고을지로한기은도를사스리서시대인어그정나자아해수들과있전일부상면제장보게요라것주원으안만여동니소구조적그모마우거비관연용중아했"
    "공학방문어입선습생실경신무유추천배송품질좋매재더저때내성되오세화말위세타트드터러진또회국분번식물달발바통단점간당심현결양운회계할개변살"
)
_KANJI = (
    "日一国会人年大十二本中長出三同時政事自行社見月分議後前民生連五発間対上部東者党地合市業内相方四定今回新場金員九入選立開手米力学問高代明"
    "実円関決子動京全目表戦経通外最言氏現理調体化田当八六約主題下首意法不来作性的要用制治度務強気小七成期公野協取都和統以機平総加山思家話世"
    "受区領多県続進正安設保改数記院女初北午指権心界支第産結百派点教報済書府活原先共得解名交資予川向際査勝面委告軍文反元重近千考判認画海参売"
    "利組知案道信策集在件団別物側任引使求所次水半品昨論計死官増係感特情投示変打男基私各始島直両朝革価式確村提運終挙果西勢減台広容必応演電歳"
    "商料悪良送早遅味店注文届商品素晴残念購返値段質使買車店員食美味"
)


class _Candidate(NamedTuple):
    encoding: str
    judge_text: Callable[[str], float]

    def judge(self, sample: bytes, *, cut: bool) -> tuple[float, str]:
        """How plausible the bytes are in this encoding, 0 for not at all, to about 1; and their text.

        With ``cut`` a sign may be cut off at their end.
        """
        try:
            text = codecs.getincrementaldecoder(self.encoding)().decode(sample, final=not cut)
        except (UnicodeDecodeError, ValueError):
            return 0.0, ""
        if _ODD.search(text):
            return 0.0, ""
        return self.judge_text(text), text


def _beyond(text: str) -> list[str]:
    return [sign for sign in text if sign > "\x7f"]


def _shape(text: str) -> float:
    """The share of words with letters beyond ASCII that are written as words are: no capital behind a small letter."""
    words = [word for word in _WORD.findall(text) if not word.isascii()]
    if not words:
        return 1.0
    usual = [word.isupper() or word[1:].islower() or word.lower() == word.upper() or len(word) == 1 for word in words]
    return usual.count(True) / len(words)


_PLACED = re.compile(
    r"(?<=\w)[’‘](?=\w)|(?<![^\W_])[“‘„«¿¡][\u00a0]?(?=\w)|(?<=[\w.,!?…%)])[\u00a0]?[”’»](?!\w)"
    r"|(?<!\w)[–—](?!\w)|(?<=\d)[–](?=\d)|(?<=\w)[—](?=\w)|…(?!\w)"
    r"|[£€](?=\s?\d)|(?<=\d)\s?€|(?<!\w)€(?!\w)|(?<=\d)\s?°|(?<!\w)°(?=[CF])|§(?=\s?\d)"
    r"|(?<=\d)[½¼¾²³](?!\w)|(?<=m)[²³](?!\w)|(?<!\w)µ(?=\w)|(?<=[\w.])[ªº](?!\w)|(?<=\w)[®™](?!\w)|©(?!\w)"
)
"""Signs of typography where they belong."""


def _placed(text: str) -> tuple[int, int]:
    """How many signs of typography stand where they belong, and how many there are."""
    marks = sum(
        1 for sign in text if sign > "\x7f" and (sign in _TYPOGRAPHY or not sign.isalpha()) and sign != "\u00a0"
    )
    return sum(len(found.strip("\u00a0 ")) for found in _PLACED.findall(text)), marks


_NEVER_WESTERN = re.compile(r"œ(?:[aæœjkoqwyz]|$)|ì(?!$)|õ(?!e)|ÿ|aá|áa|oó|[aou][äö]|.þ$|iû|aè(?!d)")
"""What no word has in the languages of western Europe, and words of other languages do when they are misread so."""


def _latin(*languages: str, less: float = 0.0) -> Callable[[str], float]:
    never = _NEVER_WESTERN if "french" in languages else None
    alphabets = [frozenset(_ALPHABETS[name]) for name in languages]
    any_of_them = frozenset().union(*alphabets)

    def judge(text: str) -> float:
        beyond = _beyond(text)
        letters = [sign for sign in beyond if sign.isalpha() and sign not in "ªºµ"]
        if any(not sign.isalpha() and sign not in _TYPOGRAPHY for sign in beyond) or _INSIDE.search(text):
            return 0.0
        shape = _shape(text)
        placed, marks = _placed(text)
        if not letters:
            return (1.0 if placed >= marks else 0.5 * placed / marks) - less
        best = max(sum(sign in each for sign in letters) for each in alphabets) / len(letters)
        rare = _RARE if never and not any(all(sign in each for sign in letters) for each in alphabets[:-1]) else 0.0
        together = sum(sign in any_of_them for sign in letters) / len(letters)
        fits = best if best > 0.97 else together - 0.25
        words = [word for word in _WORD.findall(text) if len(word) > 2 and not word.isascii()]
        foreign = sum(not re.search(r"[a-zA-Z]", word) for word in words)
        fits -= 0.8 * foreign / len(words) if words else 0.0
        fits -= 0.8 * _misspelled([word for word in _WORD.findall(text) if not word.isascii()], never)
        if fits < 0.7 or shape < 0.85:
            return 0.0
        spots = 1.0 - 0.8 * (marks - min(placed, marks)) / len(beyond)
        alone = len(re.findall(r"(?<!\w)[^\W\d_a-zA-Z](?!\w)", text)) - len(_ALONE.findall(text))
        return 0.9 * fits * shape * spots - less - rare - 0.2 * max(0, alone) / len(letters)

    return judge


_INSIDE = re.compile(r"(?<=[^\W\d_])[€£§°©®™•«»“„¿¡](?=[^\W\d_])")
"""Signs that stand in no word."""
_RARE = 0.1
"""Off for what only Icelandic is written with: Turkish has its letters in the same places, and more readers."""
_ALONE = re.compile(r"(?<!\w)[àéèÀÉÈ](?!\w)")
"""Letters that are words."""
_NEVER_CYRILLIC = re.compile(
    r"[ъьы](?=\B)(?<=\b.)|[аеиоуыэюяєії][ъь]|[ъь][аоуыэъь]|[бвгджзйклмнпрстфхцчшщ]{5}|[аеиоуыэюя]{4}|\bй?[цшщжч][ыюя]"
    r"|\b[бвгджзклмнпрстфхцчшщъь]{2,}\b"
)
_NEVER_GREEK = re.compile(r"ς(?=\w)|σ\b|[βγδζθκλμνξπρστφχψ]{4}|\b(?=\w*[αεηιουω]\w*[αεηιουω])[^\WάέήίόύώΐΰϊϋΆ-Ώ]{3,}\b")


def _misspelled(words: list[str], never: re.Pattern[str] | None) -> float:
    """The share of words that no language of the alphabet has."""
    if never is None or not words:
        return 0.0
    return sum(never.search(word if word.islower() else word.lower()) is not None for word in words) / len(words)


def _alphabet(often: str, less: float = 0.0) -> Callable[[str], float]:
    """Of a language with an alphabet of its own, by how often its letters are met."""
    never = _NEVER_GREEK if often == _GREEK else _NEVER_CYRILLIC if often in (_RUSSIAN, _UKRAINIAN) else None
    weights = {sign: 1.0 - place / len(often) for place, sign in enumerate(often)}

    def judge(text: str) -> float:
        beyond = _beyond(text)
        letters = [sign for sign in beyond if sign.isalpha() and sign not in "ªºµ"]
        if not letters:
            return 0.0
        mine = [weights.get(sign.lower(), -1.0) for sign in letters]
        if sum(weight < 0 for weight in mine) > 0.02 * len(mine):
            return 0.0
        words = [word for word in _WORD.findall(text) if not word.isascii()]
        mixed = sum(1 for word in words if re.search(r"[a-zA-Z]", word))
        loud = sum(len(word) > 1 and word.isupper() for word in words) / len(words) if words else 0.0
        shape = _shape(text)
        if shape < 0.9 or mixed > 0.1 * len(words):
            return 0.0
        plain = sum(sign in "“”„’‘«»–—…€№\u00a0" or sign.isalpha() for sign in beyond) / len(beyond)
        often_met = sum(mine) / len(mine)
        if often_met < 0.45 or plain < 0.9:
            return 0.0
        if len(letters) < 3 and re.search(r"[a-zA-Z]{3}", text):
            return 0.0
        few = 0.1 if len(letters) < 4 else 0.0
        odd = 0.5 * _misspelled(words, never)
        return min(1.0, 0.25 + often_met) * shape * plain**4 - 0.2 * loud - less - few - odd

    return judge


_EASTERN = "　、。，．！？「」（）：；・ー～〜《》【】％￥＋－／０１２３４５６７８９"


def _signs(often: str, share: Callable[[str], bool], least: float) -> Callable[[str], float]:
    """Of a language of many signs, by how many of them are among those met most."""
    usual = frozenset(often)

    def judge(text: str) -> float:
        beyond = [sign for sign in _beyond(text) if sign not in _EASTERN and sign not in _TYPOGRAPHY]
        if not beyond:
            return 0.0
        fitting = sum(share(sign) for sign in beyond) / len(beyond)
        often_met = sum(sign in usual or "ぁ" <= sign <= "ん" or "ァ" <= sign <= "ヶ" for sign in beyond) / len(beyond)
        glued = len(re.findall(r"[a-z](?=[\u2e80-\ud7a3])|(?<=[\u2e80-\ud7a3])[a-z]", text))
        if fitting < 0.95 or often_met < least or glued > 0.3 * len(beyond):
            return 0.0
        return min(1.0, 0.4 + 0.6 * often_met) * fitting

    return judge


def _is_han(sign: str) -> bool:
    return "\u4e00" <= sign <= "\u9fff"


def _is_japanese(sign: str) -> bool:
    return _is_han(sign) or "\u3040" <= sign <= "\u30ff" or sign in "々〆"


def _is_korean(sign: str) -> bool:
    return "\uac00" <= sign <= "\ud7a3" or "\u3131" <= sign <= "\u318e"


_WESTERN = ("french", "italian", "spanish", "german", "danish", "icelandic")
_CANDIDATES = (
    _Candidate("cp1252", _latin(*_WESTERN)),
    _Candidate("mac_roman", _latin(*_WESTERN, less=0.02)),
    _Candidate("cp850", _latin(*_WESTERN, less=0.15)),
    _Candidate("cp1250", _latin("polish", "czech", "slovak", "hungarian", "croatian", "romanian", less=0.1)),
    _Candidate("iso8859_2", _latin("polish", "czech", "slovak", "hungarian", "croatian", "romanian", less=0.11)),
    _Candidate("cp1254", _latin("turkish", less=0.1)),
    _Candidate("cp1257", _latin("baltic", less=0.13)),
    _Candidate("cp1251", _alphabet(_RUSSIAN)),
    _Candidate("koi8_r", _alphabet(_RUSSIAN, less=0.1)),
    _Candidate("iso8859_5", _alphabet(_RUSSIAN, less=0.12)),
    _Candidate("cp866", _alphabet(_RUSSIAN, less=0.1)),
    _Candidate("mac_cyrillic", _alphabet(_RUSSIAN, less=0.12)),
    _Candidate("cp1251", _alphabet(_UKRAINIAN)),
    _Candidate("iso8859_7", _alphabet(_GREEK, less=0.02)),
    _Candidate("cp1253", _alphabet(_GREEK, less=0.02)),
    _Candidate("cp1255", _alphabet(_HEBREW)),
    _Candidate("cp932", _signs(_KANJI, _is_japanese, 0.35)),
    _Candidate("euc_jp", _signs(_KANJI, _is_japanese, 0.35)),
    _Candidate("gb18030", _signs(_HANZI, _is_han, 0.25)),
    _Candidate("big5", _signs(_HANZI_OLD, _is_han, 0.25)),
    _Candidate("cp949", _signs(_HANGUL, _is_korean, 0.35)),
)
_DETECTED = ("cp874", "tis_620", "iso8859_11", "cp1256", "iso8859_6")
"""Encodings of Thai and Arabic, for which the detector's word is taken."""
