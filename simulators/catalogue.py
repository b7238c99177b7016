"""What can be broken in the simulated shop: every fault with its title, size, kind and possible targets, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from simulators.devices import COUNTERS, DEVICES, GATEWAYS

HOUR_MINUTES = 60
DAY_MINUTES = 1440

STEAM_TRAP_KG_H = 34.4
RINSE_VALVE_L_MIN = 10.0
AIR_LEAK_M3_MIN = 2.94
AIR_LEAK_KW = 18.7
CHILLER_FOULING = 0.35
CHILLER_FOULING_DAYS = 30
RO_DECAY = 0.15
RO_DECAY_DAYS = 60


@dataclass(frozen=True)
class Words:
    """A text in English and Chinese."""

    en: str
    zh: str


@dataclass(frozen=True)
class Target:
    """Something that a fault can strike, and the point that shows it first."""

    name: str
    title: Words
    point: str


@dataclass(frozen=True)
class FaultOffer:
    """A fault that can be switched on.

    `kind`: `step` and `slow` (over `ramp_days`) are drifts, `data` is none. `per_hour` [unit] is the expected extra of
    the target's point at size 1 (of a slow one at its end, in a shop of scale 1; RO: what is lost), 0 where there is
    none. `while_running`: whether it can be switched on at any time.
    """

    fault: str
    kind: Literal["step", "slow", "data"]
    title: Words
    description: Words
    targets: tuple[Target, ...]
    per_hour: float = 0.0
    unit: str = ""
    ramp_days: int = 0
    lasts_minutes: int | None = None
    while_running: bool = True


LINES = {
    "zinc": ("zn", "Zinc line", "镀锌线"),
    "nickel": ("ni", "Nickel line", "镀镍线"),
    "chrome": ("cr", "Chrome line", "镀铬线"),
}
STAGES = tuple(
    Target(
        f"{prefix}_rinse{stage}",
        Words(f"{en}, rinse stage {stage}", f"{zh}第{stage}级漂洗"),
        f"{prefix}_rinse{stage}_water",
    )
    for prefix, en, zh in LINES.values()
    for stage in (1, 2)
)
_TRAPS = tuple(Target(name, Words(en, zh), f"{prefix}_steam") for name, (prefix, en, zh) in LINES.items())
_COUNTERS = tuple(Target(name, Words(name, name), name) for name in COUNTERS)
_ROLLING = tuple(Target(name, Words(name, name), name) for name, limit in COUNTERS.items() if limit is not None)
_METERS = tuple(Target(device.name, Words(device.name, device.name), device.first_point) for device in DEVICES)
_SENDERS = tuple(Target(name, Words(name, name), point) for name, point in GATEWAYS.items())
_CLOCKS = tuple(target for target in _SENDERS if target.name in {"site_gateway", "event_gateway"})


def _one(name: str, en: str, zh: str, point: str) -> tuple[Target, ...]:
    return (Target(name, Words(en, zh), point),)


OFFERS: tuple[FaultOffer, ...] = (
    FaultOffer(
        "steam_trap",
        "step",
        Words("Steam trap blown open", "疏水阀失效直通"),
        Words(
            "A 1/8 inch trap passes live steam: +34.4 kg/h on the line, at standstill too.",
            "疏水阀直通，该线蒸汽多耗 34.4 kg/h，停线时亦然。",
        ),
        _TRAPS,
        STEAM_TRAP_KG_H,
        "kg",
    ),
    FaultOffer(
        "rinse_valve",
        "step",
        Words("Rinse valve left open", "漂洗水阀未关"),
        Words("A bypass valve of one rinse stage stays open: +10 L/min.", "一级漂洗的旁通阀常开：多用水 10 L/min。"),
        STAGES,
        RINSE_VALVE_L_MIN * 60 / 1000,
        "m3",
    ),
    FaultOffer(
        "air_leak",
        "step",
        Words("Compressed-air leak", "压缩空气泄漏"),
        Words(
            "A 1/4 inch hole at 100 psig: +2.94 m3/min of air, +18.7 kW at the compressor.",
            "6 mm 漏孔：多耗压缩空气 2.94 m3/min，空压机多耗 18.7 kW。",
        ),
        _one("compressed_air", "Compressed-air network", "压缩空气管网", "compressor_kwh"),
        AIR_LEAK_KW,
        "kWh",
    ),
    FaultOffer(
        "chiller_fouling",
        "slow",
        Words("Chiller condenser fouls", "冷水机冷凝器结垢"),
        Words(
            "+35 % electric power for the same cooling, growing over 30 days.",
            "同等制冷量下电耗 30 天内逐步上升 35 %。",
        ),
        _one("chiller", "Chiller", "冷水机", "chiller_kwh"),
        11.0,
        "kWh",
        CHILLER_FOULING_DAYS,
    ),
    FaultOffer(
        "ro_decay",
        "slow",
        Words("RO membranes decay", "反渗透膜衰减"),
        Words("-15 % normalised permeate flow, growing over 60 days.", "标准化产水量 60 天内下降 15 %。"),
        _one("ro", "Reverse osmosis", "反渗透", "ro_permeate_flow"),
        0.25,
        "m3",
        RO_DECAY_DAYS,
    ),
    FaultOffer(
        "counter_reset",
        "data",
        Words("Counter reset", "计数器清零"),
        Words("The counter starts again from zero.", "计数器从零重新开始。"),
        _COUNTERS,
        lasts_minutes=1,
    ),
    FaultOffer(
        "rollover",
        "data",
        Words("Counter rolls over", "计数器翻转"),
        Words(
            "The counter passes its device's limit at about the time given.", "计数器在给定时刻前后达到量程上限并翻转。"
        ),
        _ROLLING,
        lasts_minutes=1,
        while_running=False,
    ),
    FaultOffer(
        "meter_exchange",
        "data",
        Words("Meter exchanged", "更换仪表"),
        Words(
            "15 minutes without an answer, then a new meter that begins at its own opening value.",
            "15 分钟无应答，随后新表从自身底数开始计数。",
        ),
        _METERS,
        lasts_minutes=15,
    ),
    FaultOffer(
        "frozen_meter",
        "data",
        Words("Meter frozen", "仪表冻结"),
        Words("The meter answers, but all its values stand still.", "仪表有应答，但数值全部停滞。"),
        _METERS,
        lasts_minutes=6 * HOUR_MINUTES,
    ),
    FaultOffer(
        "missing_hour",
        "data",
        Words("An hour without data", "缺失一小时数据"),
        Words("The device answers nothing, the gateway sends nothing.", "设备无应答，网关不发送数据。"),
        _METERS + _SENDERS,
        lasts_minutes=HOUR_MINUTES,
    ),
    FaultOffer(
        "clock_jump",
        "data",
        Words("Gateway's clock jumps", "网关时钟跳变"),
        Words("The gateway stamps its messages two hours ahead (size 1).", "网关时间戳超前两小时（规模 1）。"),
        _CLOCKS,
        lasts_minutes=30,
    ),
    FaultOffer(
        "low_output_sunday",
        "data",
        Words("A day of low output", "低产量日"),
        Words("All lines run at a quarter of their plan.", "各线仅按计划的四分之一生产。"),
        _one("plating", "Plating", "电镀车间", "zn_area"),
        lasts_minutes=DAY_MINUTES,
    ),
    FaultOffer(
        "winter_water",
        "data",
        Words("Winter water", "冬季冷水"),
        Words("City water turns 6 K colder within 12 hours.", "自来水 12 小时内降温 6 K。"),
        _one("city_water", "City water", "自来水", "city_water_temp"),
    ),
)


def fault_catalogue() -> tuple[FaultOffer, ...]:
    """Every fault that can be switched on, in the order a menu would show them."""
    return OFFERS


def find_offer(fault: str) -> FaultOffer:
    """The offer of that name; raises ValueError when there is none."""
    for offer in OFFERS:
        if offer.fault == fault:
            return offer
    raise ValueError(f"there is no fault '{fault}': one of {', '.join(offer.fault for offer in OFFERS)}")
