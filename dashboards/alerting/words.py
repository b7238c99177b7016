"""What the alert rules say, in English and Chinese; the words of a message's rows are those of `alerts.words`."""

from __future__ import annotations

from plant.model import Text

KINDS = {
    "drift": Text(en="Drift", zh="漂移"),
    "target": Text(en="Target missed", zh="未达目标"),
    "balance": Text(en="Balance not closed", zh="平衡未闭合"),
    "silent": Text(en="Silent source", zh="数据源无数据"),
}
TEXTS = {
    "drifted": Text(en="{what} {side}", zh="{what}{side}"),
    "an hour": Text(en="{size} {unit}/h", zh="每小时 {size} {unit}"),
    "a day": Text(en=", {cost} {currency} a day", zh="，每天 {cost} {currency}"),
    "chart": Text(
        en="CUSUM of the residuals beyond its limit; 90 % interval {low} to {high} {unit}/h",
        zh="残差累积和超出控制限；90%区间 {low} 至 {high} {unit}/h",
    ),
    "hours": Text(en="within {hours:g} h", zh="{hours:g} 小时内"),
    "days": Text(en="within {days:g} days", zh="{days:g} 天内"),
    "missed": Text(en="{what}, {window}: worse than its near-term target", zh="{what}（{window}）差于近期目标"),
    "last days": Text(en="the last 30 days", zh="最近 30 天"),
    "last months": Text(en="the last 12 months", zh="最近 12 个月"),
    "value": Text(
        en="{value} {unit}; target {target:g}, baseline year {baseline:g}",
        zh="{value} {unit}；近期目标 {target:g}，基准年 {baseline:g}",
    ),
    "beyond": Text(en=", {excess} {unit}/h beyond the target", zh="，超出目标部分每小时 {excess} {unit}"),
    "window": Text(en="{window}, as a whole", zh="{window}整体"),
    "of known minutes": Text(en="the KPI over {window}, of minutes that are known", zh="{window}指标，仅计已知数据"),
    "drifts behind": Text(en="a drift of: {names}", zh="以下项目的漂移：{names}"),
    "no drift": Text(en="no baseline watches this KPI", zh="该指标没有对应的基准模型"),
    "look at drifts": Text(
        en="Open drifts first, by cost; then what has changed in the process unit.",
        zh="先按损失大小查看未消除的漂移，再查工序单元的变化。",
    ),
    "open balance": Text(en="{what}: in, out and stock change do not close", zh="{what}：输入、输出与库存变化不平衡"),
    "closure": Text(
        en="{value} % of what came in, over {window}; limit with the meters' own uncertainty {limit:.3g} %",
        zh="{window}占输入量的 {value} %；限值（含仪表不确定度）{limit:.3g} %",
    ),
    "balance cause": Text(
        en="A meter that counts wrong, a flow that no meter sees (leak, bypass, drain), or a stock not entered.",
        zh="仪表计量失准、存在未计量的流量（泄漏、旁通、排放），或库存未录入。",
    ),
    "balance check": Text(
        en="Compare the meters of the balance over a shift; look for a bypass or an open drain; enter the stocks.",
        zh="对比平衡内各仪表一个班的读数；检查旁通和排放阀；录入库存。",
    ),
    "silent": Text(en="{what}: no results of it any more", zh="{what}：已无数据"),
    "heard": Text(en="{heard} of {count} points have results", zh="{count} 个测点中 {heard} 个有数据"),
    "points": Text(en=": {points}", zh="：{points}"),
    "longer": Text(en="more than {minutes:g} min ago", zh="{minutes:g} 分钟以前"),
    "heard nothing": Text(en="no minute fact of any point", zh="所有测点均无分钟数据"),
    "silent cause": Text(
        en="Device or gateway without power or network, an address that has changed, or readings that are refused.",
        zh="设备或网关断电、断网，地址变更，或读数被判为无效。",
    ),
    "silent check": Text(
        en="The device's display and power, then its network cable, then the board of data health.",
        zh="先看设备显示与电源，再查网线，然后看数据质量看板。",
    ),
    "nothing": Text(en="No results of the whole plant arrive", zh="全厂均无数据到达"),
    "nothing cause": Text(
        en="keepclean does not run, or InfluxDB does not take or give what it should.",
        zh="keepclean 未运行，或 InfluxDB 无法写入或查询。",
    ),
    "nothing check": Text(
        en="`keepclean status` on its machine, then the disk and the log of InfluxDB.",
        zh="在其主机上运行 keepclean status，再查 InfluxDB 的磁盘与日志。",
    ),
    "unmeasured": Text(en="not measured while it lasts", zh="期间无法计量"),
}
