import kleur from "kleur"

document.title = kleur.bold("...installed offline")
