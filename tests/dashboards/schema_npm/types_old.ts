/** The pieces of a board by the types of Grafana 9.4; a comment says where they are not what Grafana reads. */
import type * as grafana from 'schema-old';
import type { Json, Properties } from './json';

// what Grafana writes for minus infinity, and for a missing value, has no place in the package's types
type Mapping = grafana.ValueMap | grafana.RangeMap | grafana.RegexMap;
type Special = { type: grafana.MappingType.SpecialValue; options: { match: grafana.SpecialValueMatch; result: grafana.ValueMappingResult } };
type Steps = { mode: grafana.ThresholdsMode; steps: { color: string; value: number | null }[] };
type Field = Omit<grafana.FieldConfig, 'thresholds' | 'mappings'> & { thresholds?: Steps; mappings?: (Mapping | Special)[] };

// the package wants a revision, which 9.4 itself does not write
export type Board = Json<Omit<grafana.Dashboard, 'panels' | 'templating' | 'annotations' | 'revision'>>;
// the package has the variable of a running page, which lacks what is stored and has what is not
type Choice = { selected?: boolean; text: string | string[]; value: string | string[] };
export type Variable = Partial<Json<Omit<grafana.VariableModel, 'name' | 'type'>>> &
  Json<Pick<grafana.VariableModel, 'name' | 'type'>> & {
    current: Choice;
    options?: Choice[];
    multi: boolean;
    includeAll: boolean;
    allValue?: string;
    refresh?: 0 | 1 | 2;
    // of intervals; the SDK writes them always
    auto: boolean;
    auto_min: string;
    auto_count: number;
  };
// the package wants what only Grafana's own annotations have
export type Annotation = Json<Omit<grafana.AnnotationQuery, 'target' | 'type' | 'builtIn' | 'showIn'>>;
export type Row = Json<Omit<grafana.RowPanel, 'panels'>>;
export type Panel = Json<Omit<grafana.Panel, 'options' | 'fieldConfig' | 'targets'>>;
export type Defaults = Json<Omit<Field, 'custom'>>;
export type Matcher = Json<grafana.MatcherConfig>;

// the package of 9.4 has no types of panels: these are put together from its parts as 9.4's panels do
type Bars = grafana.SingleStatBaseOptions & {
  displayMode: grafana.BarGaugeDisplayMode;
  showUnfilled: boolean;
  minVizWidth: number;
  minVizHeight: number;
  // of 10, and what 9.4 does anyway
  valueMode?: 'color';
};
type Chart = grafana.OptionsWithLegend & grafana.OptionsWithTooltip;
type Columns = Chart &
  grafana.OptionsWithTextFormatting & {
    xField?: string;
    colorByField?: string;
    orientation: grafana.VizOrientation;
    barRadius?: number;
    barWidth: number;
    groupWidth: number;
    showValue: grafana.VisibilityMode;
    stacking: grafana.StackingMode;
    xTickLabelMaxLength: number;
    xTickLabelRotation: number;
    xTickLabelSpacing?: number;
    // of 10, and what 9.4 does anyway
    fullHighlight?: false;
  };
type ColumnField = grafana.AxisConfig &
  grafana.HideableFieldConfig & {
    fillOpacity?: number;
    gradientMode?: grafana.GraphGradientMode;
    lineWidth?: number;
    thresholdsStyle?: grafana.GraphThresholdsStyleConfig;
  };
type Tile = grafana.SingleStatBaseOptions & {
  colorMode: grafana.BigValueColorMode;
  graphMode: grafana.BigValueGraphMode;
  justifyMode: grafana.BigValueJustifyMode;
  textMode: grafana.BigValueTextMode;
};
type Timeline = Chart &
  grafana.OptionsWithTimezones & {
    showValue: grafana.VisibilityMode;
    rowHeight: number;
    mergeValues?: boolean;
    alignValue?: grafana.TimelineValueAlignment;
  };

export type Options = {
  // what is left out is filled in by the panel
  stat: Partial<Json<Tile>>;
  bargauge: Partial<Json<Bars>>;
  table: { showHeader?: boolean; showTypeIcons?: boolean; sortBy?: Json<grafana.TableSortByFieldState>[] };
  timeseries: Partial<Json<Chart & grafana.OptionsWithTimezones>>;
  barchart: Partial<Json<Columns>>;
  'state-timeline': Partial<Json<Timeline>>;
  text: { mode: 'code' | 'html' | 'markdown'; content: string };
};

export type Override = {
  stat: Properties<Field, never>;
  bargauge: Properties<Field, never>;
  table: Properties<Field, grafana.TableFieldOptions>;
  timeseries: Properties<Field, grafana.GraphFieldConfig>;
  barchart: Properties<Field, ColumnField>;
  'state-timeline': Properties<Field, grafana.HideableFieldConfig & { lineWidth?: number; fillOpacity?: number }>;
  text: Properties<Field, never>;
};
