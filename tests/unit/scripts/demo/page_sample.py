"""A small story that adds up; tests change one figure at a time. Its figures are made up and never leave the tests."""

from __future__ import annotations

from scripts.demo.page_content import (
    Audit,
    Caught,
    Check,
    Culture,
    Declarations,
    Example,
    ExchangeFlow,
    Forgery,
    HeldDeed,
    Intake,
    Merchant,
    Movement,
    PageContent,
    Paid,
    Payment,
    Programme,
    Reach,
    Receipt,
    RedemptionFlow,
    Ride,
    Slip,
    Ticket,
    Words,
)

NAMES = {
    "volunteer": ("志愿服务", "Volunteering", 20_000_000),
    "environmental": ("绿色环保", "Environment", 5_000_000),
    "traffic": ("文明交通", "Careful traffic", 10_000_000),
    "culture": ("文化消费", "Culture", 100_000_000),
    "residence": ("居住证积分", "Residence permit", 0),
}
EXCHANGES = (
    ExchangeFlow("environmental", "culture", 32_150),
    ExchangeFlow("traffic", "volunteer", 8_420),
    ExchangeFlow("volunteer", "culture", 21_000),
)
SHOPS = (
    ("红旗超市", "Red Flag Grocery"),
    ("社区食堂", "Community canteen"),
    ("城市博物馆", "City Museum"),
    ("天府书店", "Tianfu Bookshop"),
    ("公交公司", "City Buses"),
    ("自行车铺", "Bicycle repair"),
)
REDEMPTIONS = (
    RedemptionFlow("volunteer", 1, 41_000),
    RedemptionFlow("volunteer", 2, 12_500),
    RedemptionFlow("environmental", 1, 6_300),
    RedemptionFlow("environmental", 6, 2_100),
    RedemptionFlow("traffic", 5, 9_900),
    RedemptionFlow("culture", 3, 45_000),
    RedemptionFlow("culture", 4, 18_800),
)


PAYMENTS = (
    Payment("volunteer", 1, 47_300),
    Payment("volunteer", 2, 12_500),
    Payment("volunteer", 3, 6_280),
    Payment("environmental", 3, 38_450),
    Payment("traffic", 3, 270),
    Payment("traffic", 4, 8_420),
    Payment("culture", 4, 10_380),
    Payment("traffic", 5, 9_630),
    Payment("culture", 5, 270),
    Payment("environmental", 6, 2_100),
)


def _programme(number: int, slug: str) -> Programme:
    zh, en, par = NAMES[slug]
    received = sum(f.fen for f in EXCHANGES if f.to_slug == slug)
    owed = sum(f.fen for f in EXCHANGES if f.from_slug == slug)
    spent = sum(f.fen for f in REDEMPTIONS if f.slug == slug)
    minor = (lambda fen: fen * 100_000_000 // par) if par else (lambda fen: 0)
    granted = 48_210_000 // (number * 3)
    movement = Movement(
        granted=granted,
        exchanged_in=minor(received),
        refunded=minor(500) if slug == "volunteer" else 0,
        exchanged_out=minor(owed),
        redeemed=minor(spent),
        revoked=15_000 if slug == "environmental" else 0,
        expired=0,
        outstanding=granted
        + minor(received)
        + (minor(500) if slug == "volunteer" else 0)
        - minor(owed)
        - minor(spent)
        - (15_000 if slug == "environmental" else 0),
    )
    return Programme(
        programme_id=number,
        slug=slug,
        name=Words(zh, en),
        source=Words("CSV 与 XLSX，GB18030", "CSV and XLSX, GB18030"),
        par_microfen=par,
        intake=Intake(3000, 2800, 150, 20, 25, 5),
        movement=movement,
        position_fen=received - owed - spent,
        appropriated_fen=20_000_000 if par else 0,
        liability_fen=movement.outstanding * par // 100_000_000,
        reach=Reach(number % 3 + 1, len(SHOPS), 412_000 - number * 70_000, 987_000) if par else None,
    )


def sample_page() -> PageContent:
    """Return a story whose figures add up."""
    return PageContent(
        first_day="2026-01-01",
        last_day="2026-04-02",
        seed=20260401,
        chain_id=846_201,
        residents=1200,
        programmes=tuple(_programme(n, slug) for n, slug in enumerate(NAMES, start=1)),
        merchants=tuple(
            Merchant(n, Words(*names), sum(f.fen for f in REDEMPTIONS if f.merchant_id == n))
            for n, names in enumerate(SHOPS, start=1)
        ),
        exchanges=EXCHANGES,
        redemptions=REDEMPTIONS,
        payments=PAYMENTS,
        share_before_ppm=386_000,
        share_after_ppm=978_400,
        caught=tuple(
            Caught(
                Words(*title),
                Words("同一条记录再次送到，只算一次。", "The same record came again; it counts once."),
                count,
                (
                    Example(
                        "volunteer-2026-03.csv:1204 编号",
                        Words("该记录此前已提交。", "The same record was delivered before."),
                    ),
                ),
            )
            for title, count in (
                (("重复记录", "Duplicates"), 214),
                (("一事两报", "Claimed twice"), 12),
                (("超过上限", "Over the cap"), 87),
            )
        ),
        audit=Audit(
            "PASS",
            15_233,
            412,
            "0x" + "ab" * 32,
            (Check("balances equal supply"), Check("funding held after every mint")),
        ),
        forgery=Forgery(
            "FAIL",
            "0x" + "12" * 20,
            Words("志愿服务", "Volunteering"),
            12_000,
            1_012_000,
            "balance of 0x1212… in lot 2027Q1 is 10120.00 on chain, 120.00 by its events",
        ),
        receipt=Receipt(
            Words("博物馆门票", "A museum ticket"),
            "0x" + "cd" * 32,
            311,
            "0x" + "ef" * 32,
            3_000,
            "receipt.json",
            b'{"kind": "redemption"}',
            "0x" + "cd" * 32,
            "included, not sealed",
        ),
        slip=Slip(
            72,
            Words("五常大米 5 公斤", "Rice, 5 kg"),
            Words("红旗超市", "Red Flag Grocery"),
            Words("玉林社区服务台", "Yulin community desk"),
            3_200,
            (Paid(Words("志愿服务", "Volunteering"), 16_000),),
            "ABCDE-FGHJK",
            "TONGDUI:ABCDEFGHJK",
            42_000,
            26_000,
        ),
        driver=HeldDeed(
            "2026-03-12",
            Words("文明交通：无车日", "Careful traffic: a car-free day"),
            Words("绿色环保：绿色出行", "Environment: a green trip"),
            1_000,
            Words("同一行为已在另一项目申报。", "The same deed was claimed in another programme."),
            "open",
        ),
        declarations=Declarations(Words("绿色环保", "Environment"), 1500, 15, 14_500, 500),
        culture=Culture(
            (
                Ticket(Words("话剧票", "A play"), 28_000, 15, 4_200),
                Ticket(Words("川剧票", "Sichuan opera"), 12_000, 20, 2_400),
            ),
            20_000,
            41,
            20_000,
        ),
        ride=Ride(64, 64_000, 60_000, 3_000, 3_000, Words("特展门票", "Special exhibition"), 3_000, 3_000),
    )
