import is from '@sindresorhus/is';
import kleur from 'kleur';
import pad from 'pad';

const text: string = pad('installed offline', 20, '.');
console.log(is.string(text) ? kleur.reset(text) : 'no');
