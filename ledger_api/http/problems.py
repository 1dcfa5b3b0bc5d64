"""Every error of Tongdui as an RFC 9457 problem: the only place where errors meet HTTP statuses.

``type`` is ``/problems/<slug>``, which this API also serves as an explanation. Slugs are stable: clients branch on
them, never on titles. Titles and details come in Chinese or English by ``Accept-Language``; members are the error's
typed attributes, named here one by one so that nothing personal slips out.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import Formatter
from typing import Any

from issuers import errors as issuing
from ledger.chain.errors import ClockJumped
from ledger.chain.rpc import RpcError
from ledger.clearing import errors as clearing
from ledger.custody import errors as custody
from ledger.errors import ConfigurationError, InvariantViolation, TongduiError
from ledger.orders import errors as orders
from ledger.residents import errors as residents
from ledger.standard import errors as standard
from ledger_api import errors as request
from ledger_api.auth.scopes import UnknownScope
from ledger_api.auth.tokens import BadToken, KeysUnavailable
from redemption import errors as redemption

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A kind of problem. ``detail_zh`` is a format over the error's attributes; in English the error says it itself.

    ``hides_detail`` keeps the text of internal faults out of answers; it is in the log under the request's id.
    """

    slug: str
    status: int
    title_en: str
    title_zh: str
    detail_zh: str = ""
    members: tuple[str, ...] = ()
    hides_detail: bool = False
    detail_en: str = ""
    """Used instead of the error's own text where that is not for residents (fen are for institutions only)."""

    @property
    def uri(self) -> str:
        """The problem's ``type``."""
        return f"/problems/{self.slug}"


INTERNAL = ProblemType(
    "internal", 500, "Something went wrong here", "系统内部错误", "请稍后重试,或将请求编号告知客服。", hides_detail=True
)
NOT_FOUND = ProblemType("not-found", 404, "Not found", "未找到", "所请求的内容不存在。", ("what",))
METHOD = ProblemType("method-not-allowed", 405, "Method not allowed", "不支持该操作", "该地址不支持此请求方法。")
VALIDATION = ProblemType("invalid-request", 422, "The request is not valid", "请求内容不正确", "请检查下列字段。")
MALFORMED = ProblemType("malformed-body", 400, "The body is not JSON", "请求体不是有效的 JSON", "请求体无法解析。")
UNAVAILABLE = ProblemType(
    "unavailable", 503, "Not available just now", "服务暂不可用", "请稍后重试。", hides_detail=True
)

PROBLEMS: dict[type[TongduiError], ProblemType] = {
    # who is asking
    request.Unauthenticated: ProblemType(
        "unauthenticated", 401, "A bearer token is needed", "请先登录", "请求头 Authorization 中需要访问令牌。"
    ),
    BadToken: ProblemType(
        "invalid-token", 401, "The bearer token is not accepted", "登录已失效", "访问令牌无效或已过期,请重新登录。"
    ),
    KeysUnavailable: ProblemType(
        "login-unavailable",
        503,
        "Tokens cannot be checked just now",
        "暂时无法验证登录",
        "请稍后重试。",
        hides_detail=True,
    ),
    request.Forbidden: ProblemType(
        "forbidden", 403, "The token does not allow this", "没有权限", "该账号没有执行此操作的权限。", ("needed",)
    ),
    request.NotRegistered: ProblemType("not-registered", 403, "Not a resident yet", "尚未开户", "请先完成居民登记。"),
    request.SubjectBound: ProblemType(
        "subject-bound",
        409,
        "The login belongs to another resident",
        "该登录已绑定其他居民",
        "一个登录账号只对应一位居民。",
    ),
    request.IdentityMismatch: ProblemType(
        "identity-mismatch", 403, "Another person's document", "证件不一致", "证件号码与身份认证结果不一致。"
    ),
    request.IdentityUnproven: ProblemType(
        "identity-unproven", 403, "A checked document is needed", "需要实名认证", "请使用经过实名认证的登录方式。"
    ),
    request.UnusableAccount: ProblemType(
        "unusable-account", 422, "This account cannot hold points", "该账户不能持有积分", "请填写本人的账户地址。"
    ),
    request.TooManyRequests: ProblemType(
        "too-many-requests",
        429,
        "Too many requests",
        "请求过于频繁",
        "请在 {retry_after_s} 秒后再试。",
        ("retry_after_s",),
    ),
    # how it is asked
    request.IdempotencyKeyMissing: ProblemType(
        "idempotency-key-missing",
        400,
        "Idempotency-Key is missing",
        "缺少幂等键",
        "每个写操作都需要请求头 Idempotency-Key(8 至 160 个可打印字符)。",
    ),
    request.IdempotencyKeyReused: ProblemType(
        "idempotency-key-reused",
        409,
        "Idempotency-Key was used before",
        "幂等键已被使用",
        "该幂等键已用于另一个不同的请求,本次未执行任何操作。",
    ),
    request.BadCursor: ProblemType("bad-cursor", 400, "Unknown cursor", "分页游标无效", "请从头重新查询。"),
    request.BodyTooLarge: ProblemType(
        "body-too-large", 413, "The body is too large", "请求体过大", "请求体最多 {bytes_max} 字节。", ("bytes_max",)
    ),
    request.UnsupportedBody: ProblemType(
        "unsupported-body",
        415,
        "Unsupported media type",
        "不支持的内容类型",
        "推送内容应为 application/json 或 application/x-ndjson。",
    ),
    request.NotFound: NOT_FOUND,
    request.NotFinal: ProblemType(
        "not-final", 409, "Not final yet", "尚未完成", "指令尚未上链确认,请稍后再试。", ("order_id",)
    ),
    request.MalformedId: ProblemType(
        "malformed-id", 400, "Malformed id", "编号格式不正确", "{field} 应为 0x 加 64 位十六进制数字。", ("field",)
    ),
    request.MalformedAmount: ProblemType(
        "malformed-amount",
        422,
        "Malformed amount",
        "积分数量格式不正确",
        "{field} 应为大于 0、最多两位小数的数字文本。",
        ("field",),
    ),
    UnknownScope: ProblemType("unknown-scope", 422, "Unknown scope", "未知权限范围", "权限范围不存在。", ("scope",)),
    standard.StandardError: ProblemType(
        "malformed-value", 422, "A value does not follow the standard", "数值不符合标准", "请检查请求中的数值。"
    ),
    # residents and keys
    residents.ResidentNotFound: ProblemType(
        "unknown-resident", 404, "Unknown resident", "未找到该居民", "没有这位居民。"
    ),
    residents.ResidentErased: ProblemType(
        "resident-erased", 410, "The resident was erased", "该居民信息已注销", "该居民已注销,无法继续操作。"
    ),
    residents.EmptyIdentifier: ProblemType(
        "empty-identifier", 422, "An identifier is empty", "编号为空", "{field} 不能为空。", ("field",)
    ),
    residents.NoSuchClaim: ProblemType(
        "unknown-link",
        404,
        "The source id was never linked",
        "未关联该编号",
        "该居民没有关联过这个编号。",
        ("programme",),
    ),
    residents.LinkCodeRefused: ProblemType(
        "link-code-refused",
        403,
        "The link code is not good",
        "关联码无效",
        "请向发放积分的单位重新索取关联码。",
        ("programme",),
    ),
    residents.AccountUnproven: ProblemType(
        "account-unproven",
        403,
        "The account is not shown to be yours",
        "未能证明账户归属",
        "请用该账户的密钥签署 /v1/own-key/account-proof 给出的内容。",
    ),
    residents.TooManyClaims: ProblemType(
        "too-many-claims",
        429,
        "Too many claims",
        "关联申请过多",
        "请使用发放单位提供的关联码,或等待其核实先前的申请。",
        ("limit",),
    ),
    residents.SameDecider: ProblemType(
        "same-decider", 403, "A second person must confirm", "须由另一人确认", "同一人不能确认两次。"
    ),
    custody.NotCustodial: ProblemType(
        "own-key",
        409,
        "The resident signs with an own key",
        "居民自持密钥",
        "该账户由居民自己签名,请使用 /v1/own-key 接口提交签名后的指令。",
    ),
    custody.Erased: ProblemType(
        "resident-erased", 410, "The resident was erased", "该居民信息已注销", "该居民已注销,无法继续操作。"
    ),
    # spending
    redemption.UnknownMerchant: ProblemType(
        "unknown-merchant",
        404,
        "Unknown merchant",
        "未找到该商户",
        "没有编号为 {merchant_id} 的商户。",
        ("merchant_id",),
    ),
    redemption.MerchantSuspended: ProblemType(
        "merchant-suspended",
        409,
        "The merchant takes no orders",
        "商户暂停服务",
        "该商户暂不接受兑付。",
        ("merchant_id",),
    ),
    redemption.UnknownOffer: ProblemType(
        "unknown-offer", 404, "Unknown offer", "未找到该商品", "没有这件商品。", ("offer_id",)
    ),
    redemption.OfferClosed: ProblemType(
        "offer-closed", 409, "The offer is closed", "商品已停止兑付", "该商品目前不能兑付。", ("offer_id",)
    ),
    redemption.OutOfStock: ProblemType(
        "out-of-stock",
        409,
        "Out of stock",
        "库存不足",
        "您要 {asked} 件,现仅剩 {left} 件。",
        ("offer_id", "asked", "left"),
    ),
    redemption.OfferLimitReached: ProblemType(
        "offer-limit",
        409,
        "Limit per resident reached",
        "已达每人限额",
        "该商品每人最多兑付 {limit} 件。",
        ("offer_id", "limit"),
    ),
    redemption.NotEnoughHeld: ProblemType(
        "not-enough-held",
        409,
        "The hold is worth less",
        "冻结额度不足",
        "冻结的积分价值低于要核销的金额。",
    ),
    orders.InsufficientPoints: ProblemType(
        "not-enough-points",
        409,
        "Not enough points",
        "积分不足",
        "可用的积分不足。",
        detail_en="The points that can be used for this are not enough.",
    ),
    orders.ProgrammeForbids: ProblemType(
        "programme-forbids",
        409,
        "These points cannot be used so",
        "该积分不支持此操作",
        "该积分项目不支持此操作。",
        ("programme",),
    ),
    orders.MerchantUnknown: ProblemType(
        "unknown-merchant", 404, "Unknown merchant", "未找到该商户", "没有编号为 {merchant} 的商户。", ("merchant",)
    ),
    orders.TooManyLots: ProblemType(
        "too-many-lots", 409, "The points are spread too thin", "积分过于零散", "请减少数量后再试。", ("lots_max",)
    ),
    orders.TooManyOpenOrders: ProblemType(
        "too-many-open-orders",
        409,
        "Too many orders on their way",
        "处理中的指令过多",
        "请等待先前的指令完成后再试。",
        detail_en="Too many orders are on their way; wait for one of them.",
    ),
    orders.NothingToGain: ProblemType(
        "too-little",
        409,
        "Too little would come out",
        "可得积分过少",
        "互换所得低于要求的最低数量。",
        detail_en="Less would come out than was asked for, or less than the least value.",
    ),
    orders.WrongSignature: ProblemType("wrong-signature", 422, "Wrong signature", "签名不正确", "签名与账户不符。"),
    orders.DeadlineUnfit: ProblemType(
        "deadline", 422, "The deadline does not fit", "截止时间不合适", "截止时间已过或过远。"
    ),
    orders.NonceTaken: ProblemType("nonce-taken", 409, "The nonce is taken", "序号已被占用", "该指令序号已被使用。"),
    redemption.UnknownOrder: ProblemType(
        "unknown-order", 404, "Unknown order", "未找到该指令", "没有这条指令。", ("order_id",)
    ),
    redemption.OrderStateConflict: ProblemType(
        "order-state",
        409,
        "The order's state does not allow this",
        "指令状态不允许此操作",
        "指令当前状态为 {state}。",
        ("order_id", "state"),
    ),
    redemption.RequestKeyReused: ProblemType(
        "request-key-reused", 409, "The request key was used before", "请求编号已被使用", "同一请求编号对应的内容不同。"
    ),
    redemption.BadSlipCode: ProblemType(
        "bad-code", 404, "Unknown code", "兑付码无效", "该码不属于本商户的任何有效凭单。"
    ),
    redemption.SlipExpired: ProblemType("slip-expired", 410, "The slip has expired", "凭单已过期", "请重新开具凭单。"),
    redemption.SlipUsed: ProblemType(
        "slip-used", 409, "The slip was used", "凭单已使用", "该凭单已使用或已被新凭单替换。"
    ),
    redemption.DeskProofRefused: ProblemType(
        "consent-not-shown",
        403,
        "The resident's consent was not shown",
        "未能确认居民本人意愿",
        "密码不正确,或第二位工作人员的确认无效。",
    ),
    redemption.PinLocked: ProblemType(
        "pin-locked",
        423,
        "The PIN is locked",
        "密码已锁定",
        "密码输错次数过多,请由第二位工作人员确认。",
        ("locked_until",),
    ),
    redemption.WeakPin: ProblemType(
        "weak-pin", 422, "The PIN is too easy", "密码过于简单", "密码为六位数字,不能全部相同或连续。"
    ),
    redemption.OwnOrder: ProblemType(
        "own-order",
        403,
        "Somebody else has to hand it over",
        "须由他人核销",
        "经手下单的工作人员不能核销同一指令。",
        ("order_id",),
    ),
    redemption.MerchantHoldsKey: ProblemType(
        "merchant-own-key",
        409,
        "The merchant signs with an own key",
        "商户自持密钥",
        "该操作须由商户自己的密钥签名。",
        ("merchant_id",),
    ),
    redemption.RefundTooLate: ProblemType(
        "refund-too-late",
        409,
        "Too late to refund",
        "已超过退还期限",
        "付款已超过 {days} 天,不能退还。",
        ("order_id", "days"),
    ),
    redemption.NotRefundable: ProblemType(
        "not-refundable", 409, "Nothing to refund", "无可退还", "该指令没有可退还的部分。", ("order_id",)
    ),
    redemption.OrderUnfit: ProblemType(
        "order-unfit", 422, "The order does not fit the offer", "指令与商品不符", "签名的指令与所选商品不符。"
    ),
    # funding
    clearing.ProgrammeUnknown: ProblemType(
        "unknown-programme", 404, "Unknown programme", "未找到该积分项目", "没有这个积分项目。"
    ),
    clearing.AppropriationDiffers: ProblemType(
        "appropriation-differs",
        409,
        "The document was recorded otherwise",
        "该文件已登记为其他金额或年度",
        "追加经费请使用新的文件。",
        ("programme",),
    ),
    clearing.NoFinanceKey: ProblemType(
        "finance-own-key",
        409,
        "The finance bureau signs with an own key",
        "财政部门自持密钥",
        "请用财政部门的密钥自行发送该调用(to、data)。",
        ("to", "data"),
    ),
    # issuing
    issuing.UnknownProgramme: ProblemType(
        "unknown-programme", 404, "Unknown programme", "未找到该积分项目", "没有这个积分项目。"
    ),
    issuing.UnknownMapping: ProblemType(
        "unknown-mapping", 422, "Unknown mapping", "未知的字段映射", "没有这个字段映射。"
    ),
    issuing.GrantNotFound: ProblemType("unknown-grant", 404, "Unknown grant", "未找到该授予记录", "没有这笔授予。"),
    issuing.BatchNotFound: ProblemType(
        "unknown-batch", 404, "Unknown batch", "未找到该批次", "没有编号为 {number} 的批次。", ("programme", "number")
    ),
    issuing.BatchLanded: ProblemType(
        "batch-landed",
        409,
        "The batch has landed",
        "该批次已上链",
        "批次 {number} 已上链,不能作废,请改用冲正。",
        ("programme", "number"),
    ),
    issuing.ReviewNotFound: ProblemType(
        "unknown-review", 404, "Unknown review", "未找到该复核", "没有这条复核记录。", ("review_id",)
    ),
    issuing.ReviewClosed: ProblemType(
        "review-closed", 409, "The review is closed", "复核已结束", "该复核已有结论。", ("review_id", "state")
    ),
    issuing.SameApprover: ProblemType(
        "same-approver", 403, "A second person must agree", "须由另一人复核", "同一人不能批准两次。", ("review_id",)
    ),
    issuing.RefusalNotFound: ProblemType(
        "unknown-refusal", 404, "Unknown refusal", "未找到该退回记录", "没有这条未处理的退回记录。", ("refusal_id",)
    ),
    issuing.ErasedRecord: ProblemType("record-erased", 410, "The record was erased", "记录已删除", "该记录已被删除。"),
    issuing.WebhookRefused: ProblemType(
        "push-refused",
        401,
        "The push is not signed as it must be",
        "推送签名无效",
        "请使用该来源系统的密钥按 Standard Webhooks 签名,并检查时间戳。",
    ),
    issuing.UnknownSource: ProblemType(
        "unknown-source", 404, "Unknown source system", "未知的来源系统", "没有这个来源系统。"
    ),
    issuing.SourceUnavailable: ProblemType(
        "source-unavailable",
        503,
        "The source system does not answer",
        "来源系统无响应",
        "请稍后重试。",
        hides_detail=True,
    ),
    # ours
    RpcError: UNAVAILABLE,
    ClockJumped: UNAVAILABLE,
    ConfigurationError: INTERNAL,
    InvariantViolation: INTERNAL,
    custody.CustodyError: INTERNAL,
}


def problem_type(error: TongduiError) -> ProblemType:
    """Return the kind of an error: its own class's, or that of the nearest base that is listed."""
    for base in type(error).__mro__:
        found = PROBLEMS.get(base)
        if found is not None:
            return found
    return INTERNAL


def by_slug() -> dict[str, ProblemType]:
    """Return every kind of problem by its slug."""
    known = [INTERNAL, NOT_FOUND, METHOD, VALIDATION, MALFORMED, UNAVAILABLE, *PROBLEMS.values()]
    return {kind.slug: kind for kind in known}


def prefers_chinese(accept_language: str | None) -> bool:
    """Return whether an ``Accept-Language`` header ranks Chinese above English (RFC 9110, 12.5.4)."""
    best = {"zh": 0.0, "en": 0.0}
    order = {"zh": 999, "en": 999}
    for place, part in enumerate((accept_language or "").split(",")[:32]):
        tag, _, parameters = part.strip().partition(";")
        language = tag.strip().lower().partition("-")[0]
        if language not in best:
            continue
        try:
            weight = float(parameters.strip().removeprefix("q=")) if parameters else 1.0
        except ValueError:
            continue
        if weight > best[language]:
            best[language], order[language] = weight, place
    if best["zh"] == best["en"]:
        return best["zh"] > 0 and order["zh"] < order["en"]
    return best["zh"] > best["en"]


def body(
    kind: ProblemType,
    *,
    request_id: str,
    chinese: bool,
    error: TongduiError | None = None,
    extra: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the members of a problem document."""
    document: dict[str, Any] = {
        "type": kind.uri,
        "title": kind.title_zh if chinese else kind.title_en,
        "status": kind.status,
        "detail": _detail(kind, error, chinese),
        "request_id": request_id,
    }
    if error is not None and not kind.hides_detail:
        document |= {name: _json(getattr(error, name)) for name in kind.members if hasattr(error, name)}
    return document | (extra or {})


def _detail(kind: ProblemType, error: TongduiError | None, chinese: bool) -> str:
    if chinese and kind.detail_zh:
        names = {name for _, name, _, _ in Formatter().parse(kind.detail_zh) if name}
        return kind.detail_zh.format(**{name: getattr(error, name, "") for name in names})
    if error is None or kind.hides_detail:
        return kind.title_en
    return kind.detail_en or str(error)


def _json(value: Any) -> Any:
    """JSON numbers are for small things; whoever shows ids or amounts gets text."""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, list | tuple | frozenset | set):
        return [_json(one) for one in value]
    return value if isinstance(value, str | int | bool | float | None) else str(value)
