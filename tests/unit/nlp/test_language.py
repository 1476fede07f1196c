"""Language identification."""

import time

import pytest

from nlp.language import UNDETERMINED, language_of
from nlp.sentiment import UNREAD
from tests.unit.nlp.conftest import Annotate

POSTS = {
    "es": [
        "El vuelo salió con dos horas de retraso y nadie nos dijo nada",
        "Me encantan mis zapatillas nuevas, las mejores que he tenido",
        "gracias por la ayuda, muy amables todos",
        "no vuelvo a comprar aquí nunca más",
        "Qué asco de servicio, llevo tres días esperando respuesta",
        "hoy estreno teléfono y estoy feliz",
    ],
    "pt": [
        "Adorei o atendimento, voltarei sempre que puder",
        "O meu pedido ainda não chegou e ninguém responde",
        "melhor café da cidade sem dúvida nenhuma",
        "péssimo serviço, nunca mais compro nesta loja",
        "acabei de comprar o novo modelo e estou apaixonada",
    ],
    "fr": [
        "Le service était vraiment nul, je suis très déçue",
        "Trop contente de mon nouveau sac, merci beaucoup",
        "Toujours aucun remboursement après trois semaines",
        "je recommande cette marque à tout le monde",
        "c'est la meilleure compagnie pour voyager avec des enfants",
    ],
    "de": [
        "Der Kaffee schmeckt super und die Bedienung war freundlich",
        "Mein Paket ist immer noch nicht da, was ist los bei euch",
        "endlich neue Schuhe, ich liebe sie",
        "Nie wieder mit denen, der Koffer ist weg",
        "Kann ich nur empfehlen, wir sind seit Jahren Kunden",
    ],
    "it": [
        "Ho comprato le scarpe nuove e sono bellissime",
        "Il volo è stato cancellato e nessuno risponde al telefono",
        "servizio pessimo, mai più con voi",
        "adoro questo profumo, lo consiglio a tutti",
    ],
    "nl": [
        "Wat een geweldige service, ik ben er heel blij mee",
        "Mijn bestelling is nog steeds niet aangekomen",
        "nooit meer met deze maatschappij vliegen",
    ],
    "sv": [
        "Jag älskar mina nya skor, de är helt underbara",
        "Tåget är försenat igen och ingen svarar",
    ],
    "da": [
        "Jeg er så glad for min nye telefon",
    ],
    "no": [
        "Flyet er forsinket igjen og ingen vet hvorfor",
    ],
    "fi": [
        "Rakastan tätä kahvia, paras mitä olen juonut",
    ],
    "pl": [
        "Paczka znowu nie dotarła, a infolinia nie odpowiada",
        "Uwielbiam te buty, polecam wszystkim",
    ],
    "cs": [
        "Miluju tuhle kávu, nejlepší ve městě",
    ],
    "hu": [
        "Imádom az új telefonomat, mindenkinek ajánlom",
    ],
    "ro": [
        "Serviciu foarte prost, nu mai cumpăr niciodată de aici",
    ],
    "tr": [
        "Yeni ayakkabılarıma bayıldım, herkese tavsiye ederim",
        "Kargom hâlâ gelmedi ve kimse cevap vermiyor",
    ],
    "id": [
        "Sepatu barunya bagus sekali, saya suka banget",
        "pesanan saya belum sampai juga, sudah dua minggu",
    ],
    "vi": [
        "Dịch vụ rất tệ, tôi sẽ không bao giờ mua lại",
    ],
    "ru": [
        "Очень люблю этот кофе, беру каждый день",
        "Рейс снова задержали, никто ничего не говорит",
    ],
    "uk": [
        "Дуже дякую за допомогу, сервіс чудовий",
    ],
    "el": [
        "Λατρεύω τα καινούργια μου παπούτσια",
    ],
    "ar": [
        "أحب هذا المنتج كثيرا وأنصح الجميع به",
        "الرحلة تأخرت مرة أخرى ولا أحد يرد",
    ],
    "he": [
        "אני אוהבת את הנעליים החדשות שלי",
    ],
    "fa": [
        "این گوشی جدید خیلی خوب است",
    ],
    "hi": [
        "मुझे यह नया फोन बहुत पसंद है",
    ],
    "th": [
        "ชอบรองเท้าคู่นี้มากเลย ใส่สบายสุดๆ",
    ],
    "ja": [
        "新しい靴がとても気に入りました",
        "またフライトが遅れている、最悪だ",
    ],
    "ko": [
        "새 신발이 너무 마음에 들어요",
        "비행기가 또 지연됐어요 정말 최악",
    ],
    "zh": [
        "我非常喜欢这双新鞋",
        "航班又取消了,没有人回答",
    ],
    "tl": [
        "Ang ganda ng bagong sapatos ko, gustong gusto ko",
    ],
    "en": [
        "I LOVE MY NEW SHOES SO MUCH",
        "@united @JetBlue who is the fastest to answer",
        "sooooo happy with this\none 😍😍😍 #travel",
        "lol this update broke everything smh",
    ],
}
UNCLEAR = [
    "",
    "   ",
    "ok",
    "haha",
    "😍😍😍",
    "12345 67890",
    "@united @JetBlue",
    "#travel https://t.co/abc",
    "xkcd qwrtz",
]
SHORT_FOREIGN = [
    "@united schlecht!",
    "@united sehr gut",
    "Nike nie wieder",
    "@united te odio",
    "@united mierda de servicio",
    "@united gracias!",
    "@united merci",
    "@united c'est nul",
    "@united che schifo",
    "@united que lixo",
    "@united muito bom",
    "@united slecht",
    "@united jättebra",
    "@united harika",
    "@united dziękuję",
    "@united kiitos",
    "@united terima kasih",
    "@united ужас",
    "@united χάλια",
    "@united شكرا",
    "@united 最高",
    "@united 최고",
    "@united 很好",
    "@united धन्यवाद",
]
SHORT_ENGLISH = [
    "love @united!",
    "thx @united",
    "@united yessss",
    "gr8 flight @united",
    "@united meh",
    "@united sick",
    "@united mint",
    "@united is fire",
    "@united niceee",
    "@united yum",
    "@united awesomesauce",
    "@united dope",
    "@united kudos",
    "@united ur awful",
    "Nike sucks",
    "thanks Jet Blue",
    "@united 😍😍",
    "nooo @united 😡",
]
HOSTILE = {
    "one word of 1 MB": "a" * 1_000_000,
    "words of 1 MB": "hello there " * 80_000,
    "lines of 1 MB": "\n" * 1_000_000,
    "NULs": "\x00" * 5_000,
    "every line end": "a\nb\rc\x0bd\x0ce\x1cf\x85g\u2028h\u2029",
    "lone surrogates": "\ud800 \udfff" * 500,
    "controls": "".join(map(chr, range(32))) * 20,
    "combining marks": "e\u0301" * 5_000,
}


@pytest.mark.parametrize(("lang", "text"), [(lang, text) for lang, texts in POSTS.items() for text in texts])
def test_language(lang: str, text: str) -> None:
    """The language of an ordinary post is found."""
    assert language_of(text) == lang


@pytest.mark.parametrize("text", UNCLEAR)
def test_unclear_texts(text: str) -> None:
    """A text without enough words has no language."""
    assert language_of(text) is None


@pytest.mark.parametrize("text", SHORT_FOREIGN)
def test_a_few_words_that_are_not_english_are_not_read_as_such(text: str, annotate: Annotate) -> None:
    """A few foreign words are recognised as foreign and get the sentiment `UNREAD`."""
    annotation = annotate(text)

    assert annotation.lang not in {None, "en"}
    assert annotation.sentiment == annotation.brands[0].sentiment == UNREAD


@pytest.mark.parametrize("text", SHORT_ENGLISH)
def test_a_few_english_words_are_read(text: str, annotate: Annotate) -> None:
    """Slang, elongated words, emoji and brand names do not make a short post foreign."""
    annotation = annotate(text)

    assert annotation.lang in {None, "en"}
    assert annotation.sentiment != UNREAD


@pytest.mark.parametrize(
    ("text", "hint", "lang"),
    [
        ("@united tack", "sv-SE", "sv"),
        ("@united qwrtz", "en", None),
        ("@united schlecht!", "en", None),
        ("love @united!", "es", None),
        ("the crew was really friendly and helpful", "de", "en"),
        ("@united te odio", "qme", UNDETERMINED),
        ("@united te odio", "", UNDETERMINED),
    ],
)
def test_the_platforms_language_decides_unclear_texts(
    text: str, hint: str, lang: str | None, annotate: Annotate
) -> None:
    """The language that the platform reports counts if the text is unclear and its words are not English."""
    assert annotate(text, lang=hint).lang == lang


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_texts(text: str) -> None:
    """Every text quickly gets a code or None."""
    started = time.process_time()
    lang = language_of(text)

    assert lang is None or 2 <= len(lang) <= 3
    assert time.process_time() - started < 0.1


def test_lone_surrogates_and_nulls_are_noise() -> None:
    """Surrogates and control characters do not hide the words between them."""
    assert language_of("\ud800the crew\x00was really\nfriendly\udfff and helpful") == "en"
