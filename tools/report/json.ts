const C1_CONTROL = /[\u007f-\u009f]/g;

/** A document as indented JSON, with nothing in it that steers a terminal. */
export const toJson = (document: unknown): string =>
  `${JSON.stringify(document, null, 2).replace(
    C1_CONTROL,
    character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )}\n`;
