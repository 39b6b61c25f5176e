/** How a bench tells a figure: measured values beside those of a floor, both in that unit, and the ratio that is the goal. */
export type Ratio = (
  what: string,
  measured: readonly number[],
  floor: readonly number[],
  unit: string,
  floorName: string,
  goal: number,
) => void;
