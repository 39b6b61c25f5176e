/**
 * Every setting of config.json, each in one row. The schema of the file, the options of `configure`, what a change of it means, and
 * docs/configuration.md are made from here.
 */
import { builderSettings } from './builder-settings.ts';
import { hostSettings } from './host-settings.ts';
import type { Setting } from './setting.ts';

/** All rows, by name. */
export const settings = { ...builderSettings, ...hostSettings };
/** As config.json spells it. */
export type SettingName = keyof typeof settings;

/** Those that `status` tells. */
export type ShownSetting = {
  [Name in SettingName]: (typeof settings)[Name] extends { readonly isShown: true } ? Name : never;
}[SettingName];

/** The rows, for whoever asks them all the same. */
export const settingRows = Object.entries<Setting>(settings) as readonly (readonly [
  SettingName,
  Setting,
])[];
/** In the order of the rows. */
export const settingNames: readonly string[] = Object.keys(settings);

/** Whether a guest has a change of it when it starts again, and not before. */
export const waitsForGuest = (name: string): boolean =>
  settingRows.some(([each, { acts }]) => each === name && acts === 'guest');
