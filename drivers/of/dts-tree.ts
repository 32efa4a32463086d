import { NamedList } from './dts-named';
import type { SourcePlace } from './tree';

/*
 * The tree as the source builds it, before references are resolved. What is deleted stays in
 * place, marked: if it is written again later it comes back at its old position, and that order
 * is part of the result.
 */

/** A reference in a value; its bytes are filled in when all labels are known. */
export interface SourceReference {
  /** `phandle`: a cell in an array. `path`: a string beside it. */
  readonly kind: 'phandle' | 'path';
  /** A label, a path, or a label and the path below it: `uart0`, `/soc/serial`, `soc/serial`. */
  readonly target: string;
  readonly place: SourcePlace;
  /** Byte offset in the value; grows when paths before it are filled in. */
  offset: number;
}

/** A label and where it was written. */
export interface SourceLabel {
  readonly name: string;
  readonly place: SourcePlace;
}

/** The value of a property, its references not yet filled in. */
export interface SourceValue {
  readonly bytes: Uint8Array;
  readonly references: readonly SourceReference[];
  /** Labels inside the value; nothing can refer to them, but no name may be used twice. */
  readonly labels: readonly SourceLabel[];
}

/** A property as written, or the statement that deletes it. */
export interface SourceProperty {
  readonly name: string;
  /** Label to where it stands; nothing can refer to them, as to those inside values. */
  labels: Map<string, SourcePlace> | undefined;
  value: SourceValue;
  place: SourcePlace;
  /** Set by `/delete-property/`, which is also how the statement itself is kept until merged. */
  deleted: boolean;
}

/** Told of every label that a node gets. */
export interface LabelSink {
  enter(label: string, node: SourceNode): void;
}

/**
 * A node as the source builds it: later definitions are merged in, what is deleted stays, marked.
 */
export class SourceNode {
  readonly name: string;
  readonly place: SourcePlace;
  parent: SourceNode | null = null;
  deleted = false;
  omitIfNoRef = false;
  isReferenced = false;
  phandle: number | undefined;

  /** Each label and whether it is alive, in the order in which they came. */
  readonly #labels = new Map<string, boolean>();
  readonly #properties = new NamedList<SourceProperty>();
  readonly #children = new NamedList<SourceNode>();

  constructor(name: string, place: SourcePlace) {
    this.name = name;
    this.place = place;
  }

  /** True if it has, or ever had, a label. */
  get isLabelled(): boolean {
    return this.#labels.size > 0;
  }

  /** Living labels, newest first. */
  get labels(): string[] {
    return [...this.#labels.keys()].filter(label => this.hasLabel(label)).reverse();
  }

  get properties(): readonly SourceProperty[] {
    return this.#properties.living;
  }

  get children(): readonly SourceNode[] {
    return this.#children.living;
  }

  /** Children, deleted ones and the statements that delete children included. */
  get allChildren(): readonly SourceNode[] {
    return this.#children.all;
  }

  get path(): string {
    if (this.parent === null) return '/';
    return this.parent.parent === null ? `/${this.name}` : `${this.parent.path}/${this.name}`;
  }

  /** Level below the root, whose own is 1. */
  get depth(): number {
    return this.parent === null ? 1 : this.parent.depth + 1;
  }

  hasLabel(label: string): boolean {
    return this.#labels.get(label) === true;
  }

  property(name: string): SourceProperty | undefined {
    return this.#properties.find(name);
  }

  child(name: string): SourceNode | undefined {
    return this.#children.find(name);
  }

  /** Adds a label, or brings a deleted one back in its old position. */
  addLabel(label: string): void {
    this.#labels.set(label, true);
  }

  addProperty(property: SourceProperty): void {
    this.#properties.add(property);
  }

  addChild(child: SourceNode): void {
    child.parent = this;
    this.#children.add(child);
  }

  /** This node and all living ones below it, parents first. */
  *walk(): Generator<SourceNode> {
    yield this;
    for (const child of this.#children.all) if (!child.deleted) yield* child.walk();
  }

  /** Marks this node deleted, with everything in it; merge() brings back what is written again. */
  delete(): void {
    this.deleted = true;
    for (const child of this.children) child.delete();
    for (const property of this.properties) deleteProperty(property);
    for (const label of this.#labels.keys()) this.#labels.set(label, false);
  }

  /** Adds what a later definition of this node says; `later` must not be used any more. */
  merge(later: SourceNode, sink: LabelSink): void {
    this.deleted = false;
    for (const label of later.labels) {
      this.addLabel(label);
      sink.enter(label, this);
    }
    for (const property of later.#properties.all) this.#mergeProperty(property);
    for (const child of later.#children.all) this.#mergeChild(child, sink);
  }

  #mergeProperty(later: SourceProperty): void {
    const present = this.#properties.first(later.name);
    if (later.deleted) {
      if (present !== undefined) deleteProperty(present);
    } else if (present === undefined) {
      this.addProperty(later);
    } else {
      if (later.labels !== undefined) addPropertyLabels(present, later.labels);
      present.value = later.value;
      present.place = later.place;
      present.deleted = false;
    }
  }

  #mergeChild(later: SourceNode, sink: LabelSink): void {
    later.parent = null;
    const present = this.#children.first(later.name);
    if (later.deleted) present?.delete();
    else if (present === undefined) this.addChild(later);
    else present.merge(later, sink);
  }
}

/** Adds labels, each with its place, to those the property has. */
export const addPropertyLabels = (
  property: SourceProperty,
  labels: Iterable<readonly [string, SourcePlace]>,
): void => {
  property.labels ??= new Map();
  for (const [name, place] of labels) property.labels.set(name, place);
};

const deleteProperty = (property: SourceProperty): void => {
  property.deleted = true;
  property.labels = undefined;
};
