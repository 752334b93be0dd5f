"""Language and script, on the first article of the Universal Declaration of Human Rights."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quality.language import detect
from tests.real import real_pages

ARTICLE_1 = {
    (
        "en",
        "Latn",
    ): "All human beings are born free and equal in dignity and rights. They are endowed "
    "with reason and conscience and should act towards one another in a spirit of brotherhood.",
    (
        "fr",
        "Latn",
    ): "Tous les êtres humains naissent libres et égaux en dignité et en droits. Ils sont "
    "doués de raison et de conscience et doivent agir les uns envers les autres.",
    ("de", "Latn"): "Alle Menschen sind frei und gleich an Würde und Rechten geboren. Sie sind mit "
    "Vernunft und Gewissen begabt und sollen einander im Geist der Brüderlichkeit begegnen.",
    (
        "es",
        "Latn",
    ): "Todos los seres humanos nacen libres e iguales en dignidad y derechos y, dotados "
    "como están de razón y conciencia, deben comportarse fraternalmente los unos con los otros.",
    (
        "pt",
        "Latn",
    ): "Todos os seres humanos nascem livres e iguais em dignidade e em direitos. Dotados "
    "de razão e de consciência, devem agir uns para com os outros em espírito de fraternidade.",
    (
        "it",
        "Latn",
    ): "Tutti gli esseri umani nascono liberi ed eguali in dignità e diritti. Essi sono "
    "dotati di ragione e di coscienza e devono agire gli uni verso gli altri.",
    ("nl", "Latn"): "Alle mensen worden vrij en gelijk in waardigheid en rechten geboren. Zij zijn "
    "begiftigd met verstand en geweten, en behoren zich jegens elkander te gedragen.",
    (
        "sv",
        "Latn",
    ): "Alla människor är födda fria och lika i värde och rättigheter. De har utrustats "
    "med förnuft och samvete och bör handla gentemot varandra i en anda av broderskap.",
    (
        "pl",
        "Latn",
    ): "Wszyscy ludzie rodzą się wolni i równi pod względem swej godności i swych praw. "
    "Są oni obdarzeni rozumem i sumieniem i powinni postępować wobec innych.",
    (
        "cs",
        "Latn",
    ): "Všichni lidé rodí se svobodní a sobě rovní co do důstojnosti a práv. Jsou nadáni "
    "rozumem a svědomím a mají spolu jednat v duchu bratrství.",
    (
        "tr",
        "Latn",
    ): "Bütün insanlar hür, haysiyet ve haklar bakımından eşit doğarlar. Akıl ve vicdana "
    "sahiptirler ve birbirlerine karşı kardeşlik zihniyeti ile hareket etmelidirler.",
    ("id", "Latn"): "Semua orang dilahirkan merdeka dan mempunyai martabat dan hak-hak yang sama. "
    "Mereka dikaruniai akal dan hati nurani dan hendaknya bergaul satu sama lain.",
    (
        "vi",
        "Latn",
    ): "Tất cả mọi người sinh ra đều được tự do và bình đẳng về nhân phẩm và quyền. Mọi "
    "con người đều được tạo hoá ban cho lý trí và lương tâm.",
    ("fi", "Latn"): "Kaikki ihmiset syntyvät vapaina ja tasavertaisina arvoltaan ja oikeuksiltaan. "
    "Heille on annettu järki ja omatunto, ja heidän on toimittava toisiaan kohtaan.",
    ("hu", "Latn"): "Minden emberi lény szabadon születik és egyenlő méltósága és joga van. Az "
    "emberek, ésszel és lelkiismerettel bírván, egymással szemben testvéri szellemben.",
    ("ru", "Cyrl"): "Все люди рождаются свободными и равными в своем достоинстве и правах. Они "
    "наделены разумом и совестью и должны поступать в отношении друг друга в духе братства.",
    ("uk", "Cyrl"): "Всі люди народжуються вільними і рівними у своїй гідності та правах. Вони "
    "наділені розумом і совістю і повинні діяти у відношенні один до одного в дусі братерства.",
    (
        "bg",
        "Cyrl",
    ): "Всички хора се раждат свободни и равни по достойнство и права. Те са надарени с "
    "разум и съвест и следва да се отнасят помежду си в дух на братство.",
    (
        "el",
        "Grek",
    ): "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα.",
    (
        "he",
        "Hebr",
    ): "כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם. כולם חוננו בתבונה ובמצפון.",
    (
        "ar",
        "Arab",
    ): "يولد جميع الناس أحرارا متساوين في الكرامة والحقوق. وقد وهبوا عقلا وضميرا وعليهم "
    "أن يعامل بعضهم بعضا بروح الإخاء.",
    (
        "fa",
        "Arab",
    ): "تمام افراد بشر آزاد به دنیا می‌آیند و از لحاظ حیثیت و حقوق با هم برابرند. همه دارای "
    "عقل و وجدان هستند و باید نسبت به یکدیگر با روح برادری رفتار کنند.",
    ("hi", "Deva"): "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है।",
    ("bn", "Beng"): "সমস্ত মানুষ স্বাধীনভাবে সমান মর্যাদা এবং অধিকার নিয়ে জন্মগ্রহণ করে।",
    ("ta", "Taml"): "மனிதப் பிறிவியினர் சகலரும் சுதந்திரமாகவே பிறக்கின்றனர்; அவர்கள் மதிப்பிலும் சமமானவர்கள்.",
    ("th", "Thai"): "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ",
    ("ka", "Geor"): "ყველა ადამიანი იბადება თავისუფალი და თანასწორი თავისი ღირსებითა და უფლებებით.",
    (
        "hy",
        "Armn",
    ): "Բոլոր մարդիկ ծնվում են ազատ ու հավասար իրենց արժանապատվությամբ ու իրավունքներով։",
    ("ko", "Kore"): "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다.",
    (
        "ja",
        "Jpan",
    ): "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。",
    (
        "zh",
        "Hans",
    ): "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心，并应以兄弟关系的精神相对待。",
    (
        "zh",
        "Hant",
    ): "人人生而自由，在尊嚴和權利上一律平等。他們賦有理性和良心，並應以兄弟關係的精神相對待。",
}


@pytest.mark.parametrize(("expected", "text"), ARTICLE_1.items(), ids=lambda x: str(x)[:12])
def test_language_and_script(expected: tuple[str, str], text: str) -> None:
    got = detect(text)
    assert (got.language, got.script) == expected
    assert got.confidence >= 0.5


# characters written differently since 1956, from a school list
SIMPLIFIED = "国学会这来时说对们过为开问间东车马鸟鱼龙门见长书电话语读写买卖听觉图书馆爱"
TRADITIONAL = "國學會這來時說對們過為開問間東車馬鳥魚龍門見長書電話語讀寫買賣聽覺圖書館愛"


@pytest.mark.parametrize("i", range(len(SIMPLIFIED) - 8))
def test_han_writing_by_any_few_characters(i: int) -> None:
    assert detect(SIMPLIFIED[i : i + 8]).script == "Hans"
    assert detect(TRADITIONAL[i : i + 8]).script == "Hant"
    assert detect("人山水大中小上下日月").script == "Hani"  # the same in both


CODE = "SELECT id, name FROM users WHERE age > 18 ORDER BY name LIMIT 10;\n"


def test_posts_full_of_code_are_in_the_language_of_their_prose() -> None:
    chinese = "先建一张表，再把各实例的索引信息统一写进去，最后定时清理。"
    assert detect(CODE * 3 + chinese + CODE)[::2] == ("zh", "Hans")
    assert detect(CODE * 3 + "まずテーブルを作成し、それから索引の情報を書き込みます。")[::2] == (
        "ja",
        "Jpan",
    )
    assert detect(CODE * 2 + "먼저 테이블을 만들고 색인 정보를 모두 기록합니다.")[::2] == (
        "ko",
        "Kore",
    )


def test_a_few_foreign_names_change_nothing() -> None:
    english = ARTICLE_1["en", "Latn"]
    assert detect(english * 2 + " (中文, 日本語, 한국어, Русский)")[::2] == ("en", "Latn")
    assert detect(ARTICLE_1["zh", "Hans"] * 3 + "日本的“の”字")[::2] == ("zh", "Hans")


@pytest.mark.parametrize(
    "text", ["", "   \n", "12 345,67 + 8 = ?", "★★★ ||| ---", "ok", "\x00\x01"]
)
def test_unsure(text: str) -> None:
    assert detect(text)[:2] == ("und", 0.0)


def test_bytes_that_cld2_refuses_are_no_trouble() -> None:
    text = "\x00\x0b\x7f\x85\ud800\udfff\ufdd0\ufffe\U0010ffff".join(
        ARTICLE_1["fr", "Latn"].split()
    )
    assert detect(text).language == "fr"


@given(st.text(st.characters(), max_size=200))
def test_any_text_has_a_verdict(text: str) -> None:
    got = detect(text)
    assert 0 <= got.confidence <= 1
    assert got.confidence == round(got.confidence, 4)
    assert (got.language == "und") == (got.confidence == 0)
    assert got == detect(text)


@pytest.mark.crawl_dev
def test_real_pages_agree_with_what_is_known_of_their_sites() -> None:
    """.80 is what resiliparse's detector reaches; the rest are largely untranslated pages."""
    from quality.html.decode import decode
    from quality.html.page import read_page

    agreed = total = 0
    for i, (truth, header, body) in enumerate(real_pages()):
        expected = (truth["expected_lang"] or "mul").partition("-")[0]
        if i % 4 or truth["expected_lang_basis"] != "source" or expected == "mul":
            continue
        page = read_page(decode(body, header).text, max_nodes=50_000, max_depth=200)
        if len(page.sample) >= 200:
            total += 1
            agreed += detect(page.sample).language == expected
    assert total >= 1_000
    assert agreed / total >= 0.87
