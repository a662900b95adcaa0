import isOdd from 'is-odd';
import kleur from 'kleuren';
import pad from 'left-pad';
import { version } from 'react';

const text: string = pad('installed offline', 20, '.');
console.log(isOdd(3) ? kleur.reset(`${text} ${version}`) : 'no');
