import test from 'ava';
import { ioPgtableConformance } from '../../conformance/io-pgtable';
import { LPAE, V7S } from './arm-formats';

for (const format of LPAE) ioPgtableConformance(test, format, 14);
ioPgtableConformance(test, V7S, 60);
