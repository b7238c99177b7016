"""The texts of windows, of what a KPI is made of, and of what a coverage is of, in English and Chinese."""

KPIS: dict[str, tuple[str, str]] = {
    # windows
    "window": ("Window", "时段"),
    "window_1h": ("1 h", "1 小时"),
    "window_shift": ("Shift", "本班"),
    "window_day": ("Day", "当日"),
    "window_7d": ("7 d", "7 天"),
    "window_30d": ("30 d", "30 天"),
    "window_month": ("Month", "当月"),
    "long_window_1h": ("the last hour", "最近一小时"),
    "long_window_shift": ("this shift so far", "本班至今"),
    "long_window_day": ("today so far", "当日至今"),
    "long_window_7d": ("the last 7 days", "最近 7 天"),
    "long_window_30d": ("the last 30 days", "最近 30 天"),
    "long_window_month": ("this month so far", "当月至今"),
    "longest_known": ("Longest known", "最长已知时段"),
    "period_so_far": ("{title} so far: {first} to {last}", "{title}至今：{first} 至 {last}"),
    "period_over": ("{title}, over: {first} to {last}", "{title}（已结束）：{first} 至 {last}"),
    "period_without": (
        "{title} ({first} to {last}): nothing is stored of it yet.",
        "{title}（{first} 至 {last}）：尚无已存结果。",
    ),
    # what a KPI is made of
    "formula": ("Formula", "计算公式"),
    "formula_as_amount": ("{point}", "{point}"),
    "formula_as_energy": ("{point} × coal equivalent", "{point} × 折标准煤系数"),
    "formula_as_co2_direct": ("{point} × CO₂ of the fuel", "{point} × 燃料 CO₂ 排放因子"),
    "formula_as_co2_location": ("{point} × CO₂ factor of the grid", "{point} × 电网 CO₂ 排放因子"),
    "formula_as_co2_market": ("{point} × CO₂ factor of the contracts", "{point} × 合同 CO₂ 排放因子"),
    "formula_as_cost": ("{point} × price of the minute", "{point} × 当时价格"),
    "formula_as_demand": ("demand charge of {point}", "{point}的需量电费"),
    "formula_as_load": ("{point} × {flow}", "{point} × {flow}"),
    "formula_as_content": ("{point} × {content}", "{point} × {content}"),
    "formula_as_water_mass": ("{point} × density at {temperature}", "{point} × 密度（按 {temperature}）"),
    "formula_as_cooling": ("{point} × ({return_} − {supply}) × ρc", "{point} ×（{return_} − {supply}）× ρc"),
    "formula_as_normalised_flow": (
        "{point} at 25 °C and design pressure, by {temperature}",
        "{point}（按 {temperature} 折算至 25 °C 与设计压力）",
    ),
    "formula_as_reference_oxygen": (
        "{point} × (21 − {reference}) / (21 − {oxygen}) × h",
        "{point} ×（21 − {reference}）/（21 − {oxygen}）× h",
    ),
    "formula_as_reference_drainage": (
        "{point} × {per_unit} L of reference drainage",
        "{point} × 基准排水量 {per_unit} L",
    ),
    "formula_as_stock": ("stock drawn from {point}", "{point}的库存减少量"),
    "formula_as_hours": ("hours of {point}", "{point}的已知时间"),
    "formula_peak": ("highest quarter hour of {sum}, as an amount per hour", "{sum}的最高一刻钟，折算为每小时量"),
    "formula_least": ("the smaller of {sum} and {most}", "{sum} 与 {most} 之较小者"),
    "formula_product": ("Of the product: {product}.", "产品：{product}。"),
    "formula_allocated": (
        "Allocated to {product}: its share, by {by} among {among}, of the same known minutes.",
        "按份额分摊给{product}：其“{by}”占“{among}”的比例，取相同的已知分钟。",
    ),
    "formula_bounded": (
        "The denominator counts for the reference drainage at most: a concentration at that drainage.",
        "分母最多计至基准排水量，即基准排水量浓度。",
    ),
    "formula_no_more": (
        "The denominator counts for the second sum at most.",
        "分母最多计至后一总和。",
    ),
    "formula_demand": (
        "The demand charge is of the month's highest quarter hour, in windows of whole months only.",
        "需量电费按当月最高一刻钟计，仅用于整月时段。",
    ),
    "formula_stock": (
        "A stock counts as its level at the beginning less that at the end of the window.",
        "库存以时段期初液位减期末液位计。",
    ),
    # what a coverage is of
    "coverage": ("Coverage", "覆盖率"),
    "coverage_of_window": ("Coverage of window", "时段覆盖率"),
    "coverage_is": (
        "Coverage: how much of the whole window is known for every point of the KPI;"
        " of the time before the first reading nothing is. Data health shows that of single points, of the last hour.",
        "覆盖率：整个时段中该指标全部测点均已知的比例，首个读数之前的时间一律计为未知；单个测点最近一小时的覆盖率见“数据质量”。",
    ),
    "coverage_reason": ("{reason}: {share} < {limit} of {window}", "{reason}：{window}仅 {share} < {limit}"),
    "coverage_1h": ("Coverage, last hour", "最近一小时覆盖率"),
    "coverage_young": ("Coverage, {span}", "{span} 覆盖率"),
    "coverage_points": (
        "Coverage here: how much of the last hour one point was read in. A KPI's coverage on the Energy page is of its"
        " whole window.",
        "此处覆盖率为单个测点最近一小时内有读数的比例；“能源”页的覆盖率以指标的整个时段为准。",
    ),
    "coverage_points_young": (
        "Coverage here: how much of the {span} since the first reading one point was read in. A KPI's coverage on the"
        " Energy page is of its whole window, the time before the first reading included.",
        "此处覆盖率为单个测点自首个读数起 {span} 内有读数的比例；"
        "“能源”页的覆盖率以指标的整个时段为准，含首个读数之前的时间。",
    ),
}
