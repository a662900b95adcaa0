import isOdd from "is-odd";
import kleur from "kleur";
import pad from "left-pad";

const text: string = pad("installed offline", 20, ".");
console.log(isOdd(3) ? kleur.reset(text) : "no");
