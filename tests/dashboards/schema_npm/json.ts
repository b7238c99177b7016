/** A type as it stands in JSON: an enumeration by its values; what is open, or a map, stays as it is. */
export type Json<T> = unknown extends T
  ? T
  : T extends string
    ? `${T}`
    : T extends number | boolean | null | undefined
      ? T
      : T extends Array<infer U>
        ? Json<U>[]
        : T extends object
          ? { [K in keyof T]: Json<T[K]> }
          : T;

/** Some of the properties that an override can set. */
export type Properties<Field, Custom> = Partial<Json<Omit<Field, 'custom' | 'links'>>> & {
  links?: Array<{ title: string; url: string; targetBlank?: boolean }>;
  custom?: Partial<Json<Custom>>;
};
