"""What columns are called where people do this work, in Chinese and English, and what units are called in headers."""

from __future__ import annotations

import re
import unicodedata
from typing import Final


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


ROLES: Final[dict[str, tuple[str, ...]]] = {
    "record_id": _words(
        "记录编号 申报编号 订单编号 订单号 流水号 记录号 业务编号 单号 骑行编号 行程编号 编号 recordid "
        "recordno orderno orderid tripid rideid eventid transactionid uuid ^id$ ^no$"
    ),
    "source_id": _words(
        "志愿者编号 志愿者号 用户编号 用户id 会员编号 会员号 会员卡号 读者证号 居住证号 身份证 证件号 证号 "
        "卡号 账号 工号 学号 手机号 userid userno memberno memberid member customerid accountid account "
        "cardno cardid permitno permit personid volunteerid openid riderid bikeid ^who$ ^user$"
    ),
    "activity": _words(
        "服务类别 行为类型 活动类型 活动类别 项目类型 积分类型 回收品类 品类 类别 类型 种类 category activity "
        "indicator material kind type item ^what$"
    ),
    "ended_at": _words("结束 终止 截止 签退 离馆 还车 到达 ended end until stop finish ^to$"),
    "started_at": _words("开始 起始 签到 进馆 入馆 借车 使用时间 started start begin usedat ^from$ 发生"),
    "day": _words("行为日期 服务日期 活动日期 日期 date assessedon day ^when$"),
    "declared_at": _words("申报时间 登记时间 提交时间 录入时间 填报时间 declared submitted created reported"),
    "revision": _words("修订 版本 更新时间 revision version updated modified"),
    "quantity": _words(
        "服务时间(小时) 服务时长 时长 小时 数量 重量 公斤 里程 距离 次数 实付 金额 票价 分值 得分 积分 "
        "quantity amount hours minutes duration weight distance paid price score count qty kg km"
    ),
    "unit": _words("计量单位 ^单位$ currencyunit unit currency"),
    "device": _words("设备 终端 device terminal imei"),
}
"""By field: what a column's name holds, the surest first; ``^…$`` is the whole name."""
EXTRAS: Final[dict[str, tuple[str, ...]]] = {
    "certifier": _words("记录单位 证明单位 认证单位 证明人 审核人 负责人 certifier certifiedby verifiedby"),
    "project": _words("项目 project"),
    "category": _words("类别 category"),
    "title": _words("名称 标题 title event"),
    "place": _words("地点 站点 场馆 分馆 place location station venue branch"),
}
"""Further fields that a rulebook may ask for, or that help to tell records apart."""
PERSONAL: Final = _words("姓名 名字 电话 手机 住址 地址 邮箱 生日 出生 name phone mobile address email birth")
"""Columns that say who somebody is, and are left unread."""
UNITS_SAID: Final[dict[str, tuple[str, ...]]] = {
    "hour": _words("小时 hours hour hrs hr h"),
    "minute": _words("分钟 minutes minute mins min"),
    "second": _words("秒 seconds second sec s"),
    "kilogram": _words("千克 公斤 kilograms kilogram kgs kg"),
    "jin": _words("斤 市斤 jin"),
    "gram": _words("克 grams gram g"),
    "tonne": _words("吨 tonne ton t"),
    "kilometre": _words("公里 千米 kilometres kilometre kilometers km"),
    "metre": _words("米 metres metre meters m"),
    "yuan": _words("元 人民币 yuan rmb cny"),
    "fen": _words("分钱 fen cents"),
    "trip": _words("次 趟 trips trip"),
    "day": _words("天 日 days day"),
    "session": _words("课时 节 sessions session"),
    "piece": _words("件 个 pieces piece pcs"),
    "score": _words("分值 得分 score"),
}
"""By unit: its names, as they stand in a unit's column, behind a number, or in a header's parentheses."""
MONEY: Final = ("金额", "票价", "实付", "消费", "paid", "price", "cost")


def folded(name: str) -> str:
    """Return a column's name in small letters, without blanks, underscores, dashes and dots of paths."""
    return re.sub(r"[\s_\-/@]", "", unicodedata.normalize("NFKC", name).lower())


def rank(role: tuple[str, ...], name: str) -> int:
    """Return how surely a name says a role: the higher the surer, 0: not at all."""
    plain = folded(name)
    for at, word in enumerate(role):
        whole = word.removeprefix("^").removesuffix("$")
        if (plain == whole) if word.startswith("^") else (word in plain):
            return len(role) - at
    return 0


def unit_named(text: str) -> str | None:
    """Return the unit that a word names."""
    plain = unicodedata.normalize("NFKC", text).strip().lower()
    return next((unit for unit, names in UNITS_SAID.items() if plain in names), None)


def unit_in(name: str) -> str | None:
    """Return the unit that a header names, in parentheses or at its end."""
    plain = unicodedata.normalize("NFKC", name).lower()
    for inside in re.findall(r"[(\[]([^()\[\]]*)[)\]]", plain):
        found = unit_named(inside)
        if found is not None:
            return found
    for unit, names in UNITS_SAID.items():
        if any(len(one) > 1 and re.search(rf"(^|[_\s.]|[^a-z]){re.escape(one)}$", plain) for one in names):
            return unit
    return "yuan" if any(word in plain for word in MONEY) else None
