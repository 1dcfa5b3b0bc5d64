"""Why a record is refused: a closed set of codes, each with its reason in plain English and Chinese.

A reason names fields and limits but never the value that stood in the record: the value may be personal, and is kept
sealed beside the refusal.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

from ledger.errors import TongduiError


class RefusalCode(StrEnum):
    """The machine code of a refusal. Codes are never renamed: agencies build on them."""

    # The whole file.
    EMPTY_FILE = "empty_file"
    TRUNCATED_FILE = "truncated_file"
    WRONG_ENCODING = "wrong_encoding"
    HEADER_MISMATCH = "header_mismatch"
    UNKNOWN_FORMAT = "unknown_format"
    MALFORMED_DOCUMENT = "malformed_document"
    DANGEROUS_DOCUMENT = "dangerous_document"
    DECOMPRESSION_BOMB = "decompression_bomb"
    FILE_TOO_LARGE = "file_too_large"
    SHEET_MISSING = "sheet_missing"
    EQUAL_COLUMNS = "equal_columns"
    LOCKED_WORKBOOK = "locked_workbook"
    RECORD_TOO_LARGE = "record_too_large"
    SECOND_HEADER = "second_header"
    DAMAGED_FILE = "damaged_file"
    # One row, before its meaning.
    MALFORMED_ROW = "malformed_row"
    COLUMN_COUNT = "column_count"
    UNBALANCED_QUOTE = "unbalanced_quote"
    FIELD_TOO_LARGE = "field_too_large"
    FORMULA_CELL = "formula_cell"
    HIDDEN_ROW = "hidden_row"
    CONTROL_CHARACTER = "control_character"
    DUPLICATE_KEY = "duplicate_key"
    # One field.
    MISSING_FIELD = "missing_field"
    BAD_IDENTIFIER = "bad_identifier"
    RUINED_IDENTIFIER = "ruined_identifier"
    BAD_NUMBER = "bad_number"
    NEGATIVE_QUANTITY = "negative_quantity"
    QUANTITY_TOO_LARGE = "quantity_too_large"
    BAD_DATE = "bad_date"
    FUTURE_DATE = "future_date"
    ENDED_BEFORE_STARTED = "ended_before_started"
    HOURS_EXCEED_SPAN = "hours_exceed_span"
    UNKNOWN_ACTIVITY = "unknown_activity"
    UNKNOWN_VALUE = "unknown_value"
    UNIT_MISMATCH = "unit_mismatch"
    # The record among others, and the rules.
    DUPLICATE_RECORD = "duplicate_record"
    SUPERSEDED = "superseded"
    NOT_EFFECTIVE = "not_effective"
    DEED_TOO_OLD = "deed_too_old"
    MISSING_EVIDENCE = "missing_evidence"
    BELOW_MINIMUM = "below_minimum"
    CAP_REACHED = "cap_reached"
    NO_POINTS = "no_points"
    REVIEW_REJECTED = "review_rejected"
    LINK_FROZEN = "link_frozen"


_TEXTS: dict[RefusalCode, tuple[str, str]] = {
    RefusalCode.EMPTY_FILE: ("The file has no records.", "文件中没有任何记录。"),
    RefusalCode.TRUNCATED_FILE: (
        "The file ends in the middle of a record; please send it again whole.",
        "文件在一条记录中间中断，请重新完整发送。",
    ),
    RefusalCode.WRONG_ENCODING: (
        "The text is not in the agreed encoding ({expected}), or holds a character that was lost on the way.",
        (
            "文字编码与约定（{expected}）不符，或含有已损坏的字符。"
            "请在 Excel 或 WPS 中另存为“CSV UTF-8（逗号分隔）”后重新发送。"
        ),
    ),
    RefusalCode.HEADER_MISMATCH: (
        (
            "The header (line {line}) lacks the column(s) {columns}. Where titles stand above the header, the mapping "
            "names its line (header_row)."
        ),
        "表头（第 {line} 行）缺少以下列：{columns}。表头上方若有标题行，请在映射文件中用 header_row 写明表头行号。",
    ),
    RefusalCode.UNKNOWN_FORMAT: (
        "The file is not in the agreed format {expected}.",
        "文件不是约定的 {expected} 格式。",
    ),
    RefusalCode.MALFORMED_DOCUMENT: (
        "The document is not well formed from here on; what came before was taken.",
        "文件自此处起格式错误；此前的记录已接收。",
    ),
    RefusalCode.DANGEROUS_DOCUMENT: (
        "The document declares a document type or entities, which are not accepted.",
        "文件含有不予接受的文档类型或实体声明。",
    ),
    RefusalCode.DECOMPRESSION_BOMB: (
        "The file unpacks to far more than its size allows and was not read further.",
        "压缩文件解压后大小异常，已停止读取。",
    ),
    RefusalCode.FILE_TOO_LARGE: ("The file is larger than {limit} bytes.", "文件超过 {limit} 字节。"),
    RefusalCode.SHEET_MISSING: (
        "The workbook has no sheet {wanted} to read; its visible sheets: {found}.",
        (
            "工作簿中没有可读取的工作表 {wanted}；可见的工作表：{found}。"
            "请检查工作表名称，或右键工作表标签“取消隐藏”后重新发送。"
        ),
    ),
    RefusalCode.EQUAL_COLUMNS: (
        "Several columns are named {columns}; the mapping has to say which is read ({columns}[2] is the second).",
        "有多列同名：{columns}。请在表中改名，或在映射文件中写明读取第几列（{columns}[2] 表示第二列）。",
    ),
    RefusalCode.LOCKED_WORKBOOK: (
        "The workbook has a password or the format of Excel 97–2003. Save it as .xlsx without a password.",
        (
            "工作簿设有密码，或为 Excel 97-2003（.xls）格式。"
            "请用“文件→另存为→Excel 工作簿（.xlsx）”保存，不设密码，重新发送。"
        ),
    ),
    RefusalCode.RECORD_TOO_LARGE: (
        "One record takes more than {limit} bytes; the file was read up to it.",
        "单条记录超过 {limit} 字节；此前的记录已接收。",
    ),
    RefusalCode.SECOND_HEADER: (
        (
            "Another header stands at line {line}, with its columns in another order; the rows from there on were not "
            "read. Send each table as a file of its own."
        ),
        "第 {line} 行出现另一个列顺序不同的表头，自此行起未读取。请将每张表分别保存为一个文件后重新发送。",
    ),
    RefusalCode.DAMAGED_FILE: (
        "The archive is damaged: its contents do not fit their checksum. Nothing was read; please send it again.",
        "压缩文件已损坏（内容与校验值不符），未读取任何记录，请重新发送。",
    ),
    RefusalCode.DUPLICATE_KEY: (
        "The record names {key} twice; send each value once.",
        "记录中 {key} 出现两次，请只保留一个。",
    ),
    RefusalCode.MALFORMED_ROW: ("This line cannot be read as a record.", "此行无法解析为一条记录。"),
    RefusalCode.COLUMN_COUNT: (
        "The row has {found} columns instead of {expected}.",
        "此行有 {found} 列，应为 {expected} 列。",
    ),
    RefusalCode.UNBALANCED_QUOTE: ("A quotation mark is opened and never closed.", "引号未闭合。"),
    RefusalCode.FIELD_TOO_LARGE: ("The field is longer than {limit} characters.", "字段长度超过 {limit} 个字符。"),
    RefusalCode.FORMULA_CELL: (
        "The cell holds a formula; send values only (copy, then paste special: values).",
        "单元格含有公式。请复制该列，再用“选择性粘贴→数值”粘贴后重新发送。",
    ),
    RefusalCode.HIDDEN_ROW: (
        (
            "The row is hidden in the workbook, by hand or by a filter. Show it or delete it; or let the mapping say "
            "what hidden rows are (hidden_rows)."
        ),
        (
            "该行在工作簿中被隐藏（手动隐藏或筛选）。请用“数据→清除”取消筛选、右键行号“取消隐藏”，"
            "或删除该行后重新发送；也可在映射文件中用 hidden_rows 写明隐藏行的处理方式。"
        ),
    ),
    RefusalCode.CONTROL_CHARACTER: ("The field holds control characters.", "字段含有控制字符。"),
    RefusalCode.MISSING_FIELD: ("The field is empty.", "字段为空。"),
    RefusalCode.BAD_IDENTIFIER: (
        "The identifier does not have the agreed form (found: {shape}).",
        "编号格式不符合约定（实际形式：{shape}）。",
    ),
    RefusalCode.RUINED_IDENTIFIER: (
        (
            "A spreadsheet has turned the number into {shape}, and what stood there is lost. Format the column as "
            "text, fill it from the source again, and export."
        ),
        (
            "编号已被表格软件变成 {shape}，原来的内容已丢失。"
            "请先将该列设为文本（“设置单元格格式→数字→文本”），从来源系统重新填入后再导出。"
        ),
    ),
    RefusalCode.BAD_NUMBER: (
        "The field is not a plain decimal number (found: {shape}).",
        "字段不是有效的十进制数（实际形式：{shape}）。",
    ),
    RefusalCode.NEGATIVE_QUANTITY: ("The quantity is below zero.", "数量为负数。"),
    RefusalCode.QUANTITY_TOO_LARGE: (
        "The quantity is beyond anything plausible ({limit}).",
        "数量超出合理范围（{limit}）。",
    ),
    RefusalCode.BAD_DATE: (
        "The field is not a date or time in the agreed form (found: {shape}).",
        "字段不是约定格式的日期或时间（实际形式：{shape}）。",
    ),
    RefusalCode.FUTURE_DATE: ("The deed lies in the future.", "行为日期晚于当前时间。"),
    RefusalCode.ENDED_BEFORE_STARTED: ("The end lies before the start.", "结束时间早于开始时间。"),
    RefusalCode.HOURS_EXCEED_SPAN: (
        "More time is credited than lies between start and end.",
        "记入时长超过起止时间之差。",
    ),
    RefusalCode.UNKNOWN_ACTIVITY: ("The activity is not in the programme's rulebook.", "积分规则中没有此活动。"),
    RefusalCode.UNKNOWN_VALUE: ("The value is not in the agreed table of values.", "取值不在约定的代码表中。"),
    RefusalCode.UNIT_MISMATCH: (
        "The quantity's unit does not fit the rule of the activity ({expected}).",
        "数量单位与活动规则（{expected}）不符。",
    ),
    RefusalCode.DUPLICATE_RECORD: (
        "The same record was delivered before (delivery {delivery}, row {row}).",
        "该记录此前已提交（第 {delivery} 批次第 {row} 行）。",
    ),
    RefusalCode.SUPERSEDED: ("A newer version of this record is already known.", "该记录已有更新的版本。"),
    RefusalCode.NOT_EFFECTIVE: ("No rule was in force on the day of the deed.", "行为发生当日没有生效的规则。"),
    RefusalCode.DEED_TOO_OLD: (
        "The deed is more than {months} months old and nobody has linked the account.",
        "行为发生已超过 {months} 个月且账号未关联。",
    ),
    RefusalCode.MISSING_EVIDENCE: (
        "The rule asks for the field {name}, which is empty.",
        "规则要求填写 {name}，但该字段为空。",
    ),
    RefusalCode.BELOW_MINIMUM: (
        "The quantity is below the rule's minimum ({minimum}).",
        "数量低于规则的最低要求（{minimum}）。",
    ),
    RefusalCode.CAP_REACHED: ("The cap per {period} was already reached.", "已达到{period}积分上限。"),
    RefusalCode.NO_POINTS: ("By the rules the deed earns less than 0.01 point.", "按规则所得不足 0.01 积分。"),
    RefusalCode.REVIEW_REJECTED: ("The record was reviewed and rejected.", "该记录经复核后被驳回。"),
    RefusalCode.LINK_FROZEN: (
        "Two residents claim this account; the agency has to decide.",
        "该账号被两位居民同时关联，需由主管单位裁定。",
    ),
}

FORMS = {
    "xlsx": ("an Excel workbook (.xlsx)", "Excel 工作簿（.xlsx）"),
    "xlsb": ("a binary Excel workbook (.xlsb)", "Excel 二进制工作簿（.xlsb）"),
    "xls": (
        "an Excel 97–2003 workbook (.xls), or one with a password",
        "Excel 97-2003 工作簿（.xls）或设有密码的工作簿",
    ),
    "ods": ("an OpenDocument sheet (.ods)", "OpenDocument 表格（.ods）"),
    "numbers": ("an Apple Numbers document", "苹果 Numbers 表格"),
    "docx": ("a Word document", "Word 文档"),
    "html": ("a web page (some systems call it .xls)", "网页（部分系统将其命名为 .xls）"),
    "xml": ("an XML document", "XML 文件"),
    "json": ("a JSON document", "JSON 文件"),
    "pdf": ("a PDF document", "PDF 文件"),
    "rar": ("a RAR archive", "RAR 压缩包"),
    "7z": ("a 7z archive", "7z 压缩包"),
    "gzip": ("a gzip archive", "gzip 压缩包"),
    "zip": ("a zip archive", "zip 压缩包"),
}
"""What a file is by its first bytes, in words."""
_MORE = {
    "form": (
        "What was sent is {form}; export it in the agreed format.",
        "实际收到的是{form}，请按约定格式重新导出；表格可在 Excel 或 WPS 中“文件→另存为”约定的格式。",
    ),
    "mark": (
        "Its columns seem to be parted by {mark}: the mapping says so (delimiter).",
        "该文件的列似乎以 {mark} 分隔，请在映射文件中用 delimiter 写明。",
    ),
    "sheet": (
        "The sheet that was read is {sheet}; visible are: {sheets}. The mapping names another one (sheet).",
        "读取的工作表为 {sheet}；可见的工作表：{sheets}。如需读取其他工作表，请在映射文件中用 sheet 写明。",
    ),
}
"""Sentences that follow where a parameter of this name is known."""
PERIODS_ZH = {"day": "每日", "week": "每周", "month": "每月", "year": "每年"}

FILE_CODES = frozenset(
    {
        RefusalCode.EMPTY_FILE,
        RefusalCode.HEADER_MISMATCH,
        RefusalCode.UNKNOWN_FORMAT,
        RefusalCode.MALFORMED_DOCUMENT,
        RefusalCode.DANGEROUS_DOCUMENT,
        RefusalCode.DECOMPRESSION_BOMB,
        RefusalCode.FILE_TOO_LARGE,
        RefusalCode.SHEET_MISSING,
        RefusalCode.EQUAL_COLUMNS,
        RefusalCode.LOCKED_WORKBOOK,
        RefusalCode.RECORD_TOO_LARGE,
        RefusalCode.SECOND_HEADER,
        RefusalCode.DAMAGED_FILE,
    }
)


class Fault(NamedTuple):
    """One thing that is wrong with one row, or (row 0) with the file. A NamedTuple: millions are made, none changes."""

    row: int
    line: int | None
    field: str | None
    code: RefusalCode
    params: tuple[tuple[str, str], ...] = ()
    raw: bytes = b""
    """The offending bytes as they came (cut at 4 KiB), to be sealed."""

    def reason(self) -> tuple[str, str]:
        """Return the reason in English and Chinese."""
        return reason(self.code, dict(self.params))


class ReadFailure(TongduiError):
    """A file cannot be read further. What was read before it stands."""

    def __init__(self, code: RefusalCode, **params: object) -> None:
        self.code = code
        self.params = tuple((name, str(value)) for name, value in params.items())
        super().__init__(reason(code, dict(self.params))[0])


class FieldRefused(TongduiError):
    """One field of a row is wrong; the row is refused and the next one read."""

    def __init__(self, code: RefusalCode, field: str | None, **params: object) -> None:
        self.code = code
        self.field = field
        self.params = tuple((name, str(value)) for name, value in params.items())
        super().__init__(reason(code, dict(self.params))[0])


def reason(code: RefusalCode, params: dict[str, Any]) -> tuple[str, str]:
    """Put a refusal into words, English and Chinese."""
    english, chinese = _TEXTS[code]
    in_chinese = dict(params)
    if "period" in in_chinese:
        in_chinese["period"] = PERIODS_ZH.get(in_chinese["period"], in_chinese["period"])
    more = [words for name, words in _MORE.items() if name in params]
    if "form" in params:
        params = {**params, "form": FORMS.get(params["form"], (params["form"],))[0]}
        in_chinese["form"] = FORMS.get(in_chinese["form"], ("", in_chinese["form"]))[1]
    english = " ".join([english, *(words[0] for words in more)])
    chinese = "".join([chinese, *(words[1] for words in more)])
    return english.format_map(_Blank(params)), chinese.format_map(_Blank(in_chinese))


class _Blank(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "?"
