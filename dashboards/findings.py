"""What can be found out about data, in both languages: the values of the tag `finding`; others show as they are."""

from __future__ import annotations

from plant.model import Text

FINDINGS = {
    "gap": Text(en="gap", zh="缺数"),
    "silent": Text(en="silent", zh="无通讯"),
    "frozen": Text(en="frozen", zh="冻结"),
    "flat": Text(en="flat", zh="持续不变"),
    "conflict": Text(en="conflicting values", zh="数值冲突"),
    "future": Text(en="time in the future", zh="时间超前"),
    "late": Text(en="late", zh="迟到"),
    "clock at 1970": Text(en="clock at 1970", zh="时钟停在 1970 年"),
    "local time": Text(en="local time without its zone", zh="采用无时区的当地时间"),
    "clock went back": Text(en="clock went back", zh="时钟回拨"),
    "clock jumped": Text(en="clock jumped", zh="时钟跳变"),
    "leap": Text(en="leap", zh="突变"),
    "out of range": Text(en="out of range", zh="超出范围"),
    "calibration expired": Text(en="calibration expired", zh="校准已过期"),
    "dip": Text(en="dip", zh="瞬时下跌"),
    "spike": Text(en="spike", zh="瞬时上跳"),
    "reset": Text(en="reset", zh="清零"),
    "rollover": Text(en="rollover", zh="翻转"),
    "exchange": Text(en="meter exchanged", zh="换表"),
    "undeclared exchange": Text(en="undeclared exchange", zh="未登记换表"),
    "below expected": Text(en="below expected", zh="低于期望"),
    "disk budget nearly used up": Text(en="disk budget nearly used up", zh="磁盘预算将用尽"),
    "drift in the direction that is not watched": Text(en="change in the good direction", zh="向好变化"),
    "journal budget reached": Text(en="journal budget reached", zh="日志预算已用尽"),
    "journal damaged": Text(en="journal damaged", zh="日志损坏"),
    "results damaged": Text(en="results damaged", zh="结果损坏"),
    "not taken by the time-series server": Text(en="not taken by the time-series server", zh="时序数据库拒收"),
    "readings not sent to the time-series server": Text(
        en="readings not sent to the time-series server", zh="读数未送达时序数据库"
    ),
    "broker may lose messages": Text(en="broker may lose messages", zh="MQTT 服务器可能丢失消息"),
    "not available": Text(en="not available", zh="不可用"),
    "unknown act on an alarm": Text(en="unknown act on an alarm", zh="对报警的未知操作"),
    "acknowledgement of an unknown alarm": Text(en="acknowledgement of an unknown alarm", zh="确认了未知报警"),
    "acknowledgement without a name": Text(en="acknowledgement without a name", zh="确认未署名"),
    "nothing to acknowledge": Text(en="nothing to acknowledge", zh="无可确认"),
}
