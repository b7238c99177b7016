/** The pieces of a board by the newest types of Grafana; a comment says where they are not what Grafana reads. */
import type * as grafana from 'schema-new';
import type * as barchart from 'schema-new/dist/esm/raw/composable/barchart/panelcfg/x/BarChartPanelCfg_types.gen';
import type * as bargauge from 'schema-new/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen';
import type * as stat from 'schema-new/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type * as timeline from 'schema-new/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen';
import type * as table from 'schema-new/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type * as text from 'schema-new/dist/esm/raw/composable/text/panelcfg/x/TextPanelCfg_types.gen';
import type * as timeseries from 'schema-new/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';
import type { Json, Properties } from './json';

type Field = grafana.FieldConfig;

// 9.4 wants a style; nothing reads it
export type Board = Json<Omit<grafana.Dashboard, 'panels' | 'templating' | 'annotations'>> & { style: 'dark' };
// of intervals; the SDK writes them always
export type Variable = Json<grafana.VariableModel> & { auto: boolean; auto_min: string; auto_count: number };
export type Annotation = Json<Omit<grafana.AnnotationQuery, 'target'>>;
export type Row = Json<Omit<grafana.RowPanel, 'panels'>>;
export type Panel = Json<Omit<grafana.Panel, 'options' | 'fieldConfig' | 'targets'>>;
export type Defaults = Json<Omit<Field, 'custom'>>;
export type Matcher = Json<grafana.MatcherConfig>;

export type Options = {
  // what is left out is filled in by the panel
  stat: Partial<Json<stat.Options>>;
  bargauge: Partial<Json<bargauge.Options>>;
  table: Partial<Json<table.Options>>;
  timeseries: Partial<Json<timeseries.Options>>;
  barchart: Partial<Json<barchart.Options>>;
  'state-timeline': Partial<Json<timeline.Options>>;
  text: Partial<Json<text.Options>>;
};

export type Override = {
  stat: Properties<Field, never>;
  bargauge: Properties<Field, never>;
  table: Properties<Field, table.FieldConfig>;
  timeseries: Properties<Field, timeseries.FieldConfig>;
  barchart: Properties<Field, barchart.FieldConfig>;
  'state-timeline': Properties<Field, timeline.FieldConfig>;
  text: Properties<Field, never>;
};
